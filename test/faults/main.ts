import { Random } from '../support/random.ts'
import { inScope } from '../support/scope.ts'
import { FAULTS } from './all.ts'
import { CannotInject, type Fault } from './fault.ts'
import { type Options, readOptions, USAGE } from './options.ts'
import { isFine, type Outcome, report } from './report.ts'

/** Returns the exit code: 1 when something that must hold did not. */
async function main(options: Options): Promise<number> {
  const faults = choose(options.names)
  if (options.list) {
    for (const { name, what } of faults) console.log(`${name}: ${what}.`)
    return 0
  }
  console.error(`seed ${options.seed}`)
  const outcomes: Outcome[] = []
  for (const fault of faults) outcomes.push(await inject(fault, options))
  console.log(report(outcomes))
  return outcomes.every(isFine) ? 0 : 1
}

async function inject(fault: Fault, options: Options): Promise<Outcome> {
  const start = performance.now()
  const result = await resultOf(fault, options)
  const seconds = (performance.now() - start) / 1000
  if ('skipped' in result) console.error(`SKIPPED ${fault.name}: ${result.skipped}`)
  return { fault, seconds, result }
}

async function resultOf(fault: Fault, { count, minutes, seed }: Options): Promise<Outcome['result']> {
  const { unit, onDemand } = fault.amount
  const amount = (unit === 'times' ? count : minutes) ?? onDemand
  const say = (progress: string) => console.error(`${fault.name}: ${progress}`)
  try {
    const finding = await inScope((release) => fault.run({ release, amount, random: new Random(seed), say }))
    return { ...finding, broken: [...finding.broken, ...(finding.late ?? [])] }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    return error instanceof CannotInject ? { skipped: reason } : { failed: reason }
  }
}

/** Those of the names, all where none is given. A name stands for those whose names go on behind a dash as well. */
function choose(names: readonly string[]): readonly Fault[] {
  const isMeant = (name: string, fault: Fault) => fault.name === name || fault.name.startsWith(`${name}-`)
  const unknown = names.find((name) => !FAULTS.some((fault) => isMeant(name, fault)))
  if (unknown !== undefined) {
    throw new Error(`There is no "${unknown}", but ${FAULTS.map(({ name }) => name).join(', ')}.`)
  }
  return FAULTS.filter((fault) => names.length === 0 || names.some((name) => isMeant(name, fault)))
}

try {
  process.exitCode = await main(readOptions(process.argv.slice(2), () => 1 + Math.floor(Math.random() * 2 ** 32)))
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  console.error(USAGE)
  process.exitCode = 2
}
