import { startPostgres } from '../support/postgres.ts'
import { Random } from '../support/random.ts'
import { inScope } from '../support/scope.ts'
import { partsOf } from './amount.ts'
import { HttpInputs } from './http-inputs.ts'
import { Inputs } from './inputs.ts'
import { type Options, readOptions, USAGE } from './options.ts'
import { recordTraffic } from './record.ts'
import { besiege, ROUND } from './siege.ts'
import { readTraffic, writeTraffic } from './traffic.ts'
import { BATCH, Find, Validator } from './validator.ts'

const PROGRESS_MS = 10_000
/** Where a document is lost, everything in it is a find. */
const MAX_SHOWN = 30

/** Returns the exit code: 1 when something was found. */
function main(options: Options): Promise<number> {
  console.error(`seed ${options.seed}`)
  switch (options.mode) {
    case 'record':
      return record(options)
    case 'validator':
      return validate(options)
    case 'server':
    case 'cluster':
      return attack(options)
  }
}

async function record({ seed }: Options): Promise<number> {
  const messages = await inScope((release) => recordTraffic(release, new Random(seed)))
  await writeTraffic(messages)
  console.log(`recorded ${messages.length} messages`)
  return 0
}

async function validate(options: Options): Promise<number> {
  const traffic = await readTraffic()
  const validator = new Validator(new Inputs(options.seed, traffic), traffic)
  const nextBatch = partsOf(options.amount, BATCH)
  const start = performance.now()
  let shownAt = start
  for (let done = 0, size = nextBatch(0); size > 0; size = nextBatch(done)) {
    validator.run(options.first + done, options.first + done + size - 1)
    done += size
    if (performance.now() - shownAt < PROGRESS_MS) continue
    shownAt = performance.now()
    console.error(`${done} inputs, no find`)
  }
  const { inputs, refused, taken, slowestMs } = validator.tally
  const seconds = (performance.now() - start) / 1000
  console.log(
    `${inputs} inputs in ${seconds.toFixed(0)} s (${(inputs / seconds).toFixed(0)}/s): ${refused} refused, ${taken} ` +
      `updates taken, the slowest in ${slowestMs.toFixed(1)} ms of processor time; no find`,
  )
  return 0
}

async function attack(options: Options): Promise<number> {
  const traffic = await readTraffic()
  const inputs = new Inputs(options.seed, traffic)
  const requests = options.isHttp ? new HttpInputs(options.seed, traffic) : undefined
  const nextRound = partsOf(options.amount, ROUND)
  const start = performance.now()
  const say = (progress: string) => console.error(progress)
  const report = await inScope(async (release) => {
    const siege = { release, traffic, inputs, isKeyed: options.isKeyed, requests, first: options.first, nextRound, say }
    if (options.mode === 'server') return besiege(siege)
    return besiege({ ...siege, database: await (await startPostgres(release)).newDatabase() })
  })
  const seconds = (performance.now() - start) / 1000
  const { median, p99, longest, count } = report.waits
  console.log(
    `${report.inputs} inputs in ${seconds.toFixed(0)} s (${(report.inputs / seconds).toFixed(0)}/s) over ` +
      `${report.connections} connections; ${report.promises} edits of the innocent were promised; the server took at ` +
      `most ${report.peakMiB} MiB and answered ${count} pings in ${median.toFixed(1)} ms (median), ${p99.toFixed(0)} ms ` +
      `(p99), ${longest.toFixed(0)} ms (longest)`,
  )
  const flags = `${options.mode === 'cluster' ? ' --cluster' : ''}${options.isKeyed ? ' --hocuspocus' : ''}${options.isHttp ? ' --http' : ''}`
  for (const find of report.finds.slice(0, MAX_SHOWN)) console.log(`find: ${find}`)
  if (report.finds.length > MAX_SHOWN) console.log(`and ${report.finds.length - MAX_SHOWN} more finds`)
  console.log(
    report.finds.length === 0 ? 'no find' : `again: npm run fuzz -- --seed ${options.seed} --only A-B${flags}`,
  )
  return report.finds.length === 0 ? 0 : 1
}

try {
  process.exitCode = await main(readOptions(process.argv.slice(2), () => Math.floor(Math.random() * 2 ** 32)))
} catch (error) {
  console.error(error instanceof Find ? error : error instanceof Error ? error.message : error)
  if (!(error instanceof Find)) console.error(USAGE)
  process.exitCode = error instanceof Find ? 1 : 2
}
