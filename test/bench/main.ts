import { hocuspocusDialect } from './clients/hocuspocus-dialect.ts'
import { allLoads } from './loads/all.ts'
import { clusterLoads } from './loads/cluster.ts'
import { describeMachine } from './machine.ts'
import { type Options, readOptions, USAGE } from './options.ts'
import { report } from './report.ts'
import { runPlan } from './runner.ts'
import { FULL, type Scale, SMOKE } from './scale.ts'
import { coeditOnPostgres, coeditWith } from './servers/coedit.ts'
import { hocuspocus, hocuspocusOnRedis } from './servers/hocuspocus.ts'
import { yWebsocket } from './servers/y-websocket.ts'

/** The first two are compared. */
const ALONE = [
  coeditWith(process.env),
  hocuspocus,
  coeditWith(process.env, 'coedit-hocuspocus', hocuspocusDialect),
  yWebsocket,
] as const
const SHARING = [coeditOnPostgres(process.env), hocuspocusOnRedis, coeditWith(process.env, 'leveldb')] as const

/** Returns the exit code: 1 when a load failed on coedit; what fails on another server is for the report to say. */
async function main(options: Options, signal: AbortSignal): Promise<number> {
  const scale = scaleOf(options)
  const isAlone = options.nodes.length === 0
  const loads = choose(isAlone ? allLoads(scale) : options.nodes.flatMap(clusterLoads), options.only)
  const all = isAlone ? ALONE : SHARING
  const [coedit, hocuspocus] = all
  const servers = choose(all, options.servers)
  const { runs, data: dataDirectory, profile: profileDirectory } = options
  const say = console.error
  const outcomes = await runPlan({ loads, servers, runs, scale, dataDirectory, profileDirectory, say, signal })
  if (!options.check) {
    const machine = describeMachine(new Date(), dataDirectory)
    console.log(report({ outcomes, loads, servers, runs, scale, machine, coedit, hocuspocus }))
  }
  return outcomes.some(({ server, failures }) => server === coedit && failures.length > 0) ? 1 : 0
}

function scaleOf({ check, seconds, warmUpSeconds }: Options): Scale {
  const scale = check ? SMOKE : FULL
  return { ...scale, seconds: seconds ?? scale.seconds, warmUpSeconds: warmUpSeconds ?? scale.warmUpSeconds }
}

/** Those of the names, all where none is given. */
function choose<T extends { readonly name: string }>(all: readonly T[], names: readonly string[]): T[] {
  const unknown = names.find((name) => !all.some((one) => one.name === name))
  if (unknown !== undefined) throw new Error(`There is no "${unknown}", but ${all.map(({ name }) => name).join(', ')}.`)
  return all.filter(({ name }) => names.length === 0 || names.includes(name))
}

const interruption = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'])
  process.once(signal, () => interruption.abort(new Error(`Ended by ${signal}.`)))

try {
  process.exitCode = await main(readOptions(process.argv.slice(2)), interruption.signal)
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  // The clients of the load that was interrupted are still there.
  if (interruption.signal.aborted) process.exit(1)
  console.error(USAGE)
  process.exitCode = 2
}
