import { once } from 'node:events'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type Figures, type Load, titleOf } from './loads/load.ts'
import type { Scale } from './scale.ts'
import type { RunningServer, ServerKind } from './servers/server.ts'
import { Usage } from './servers/usage.ts'

/** What a load gave on a server: the figures of the runs that succeeded, and why others did not. */
export interface Outcome {
  readonly load: Load
  readonly server: ServerKind
  readonly figures: readonly Figures[]
  readonly failures: readonly string[]
}

export interface Plan {
  readonly loads: readonly Load[]
  readonly servers: readonly ServerKind[]
  readonly runs: number
  readonly scale: Scale
  /** In which each run gets a directory of its own. */
  readonly dataDirectory: string
  readonly profileDirectory: string | undefined
  readonly say: (line: string) => void
  /** Ends the run under way, and leaves out the others. */
  readonly signal: AbortSignal
}

/**
 * Runs each load on the servers in turn, A B C A B C, so that a change of the machine's mood meets all of them. Rejects once
 * it was told to end, with nothing left running.
 */
export async function runPlan(plan: Plan): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = []
  const ended = aborted(plan.signal)
  ended.catch(() => undefined)
  for (const load of plan.loads) {
    const servers = plan.servers.filter((server) => server.isShared || (load.nodes ?? 1) === 1)
    const results = servers.map((server) => ({ load, server, figures: [] as Figures[], failures: [] as string[] }))
    for (let run = 1; run <= plan.runs; run += 1) {
      for (const { server, figures, failures } of results) {
        const title = `${titleOf(load)} on ${server.name}, run ${run} of ${plan.runs}`
        try {
          const measured = await runOnce(load, server, plan, ended)
          figures.push(measured)
          plan.say(`${title}: ${summary(load, measured)}`)
        } catch (error) {
          if (plan.signal.aborted) throw error
          const reason = error instanceof Error ? error.message : String(error)
          failures.push(reason)
          plan.say(`${title} failed: ${reason}`)
        }
      }
    }
    outcomes.push(...results)
  }
  return outcomes
}

async function runOnce(load: Load, kind: ServerKind, plan: Plan, ended: Promise<never>): Promise<Figures> {
  const { scale, profileDirectory } = plan
  const dataDirectory = await mkdtemp(join(plan.dataDirectory, `coedit-bench-${kind.name}-`))
  const profiles = profileDirectory && join(profileDirectory, `${titleOf(load)}-${kind.name}`)
  if (profiles) await mkdir(profiles, { recursive: true })
  const starting: Promise<RunningServer>[] = []
  const start = async () => {
    const begun = kind.start({ dataDirectory, profileDirectory: profiles, nodes: load.nodes ?? 1 })
    starting.push(begun)
    const server = await begun
    const { pids, backing } = server
    return {
      server,
      usage: new Usage(pids, profiles !== undefined),
      ...(backing !== undefined && { backing: new Usage([backing]) }),
    }
  }
  try {
    return await Promise.race([load.run({ scale, dataDirectory, start }), ended])
  } finally {
    for (const begun of await Promise.allSettled(starting)) if (begun.status === 'fulfilled') await begun.value.kill()
    await rm(dataDirectory, { recursive: true, force: true })
  }
}

/** Rejects when it is. */
async function aborted(signal: AbortSignal): Promise<never> {
  if (!signal.aborted) await once(signal, 'abort')
  throw signal.reason
}

function summary(load: Load, figures: Figures): string {
  return load.metrics.map(({ key, unit }) => `${key} ${figures[key]?.toPrecision(3)} ${unit}`).join(', ')
}
