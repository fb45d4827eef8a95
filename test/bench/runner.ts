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
}

/** Runs each load on the servers in turn, A B C A B C, so that a change of the machine's mood meets all of them. */
export async function runPlan(plan: Plan): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = []
  for (const load of plan.loads) {
    const servers = plan.servers.filter((server) => server.isShared || (load.nodes ?? 1) === 1)
    const results = servers.map((server) => ({ load, server, figures: [] as Figures[], failures: [] as string[] }))
    for (let run = 1; run <= plan.runs; run += 1) {
      for (const { server, figures, failures } of results) {
        const title = `${titleOf(load)} on ${server.name}, run ${run} of ${plan.runs}`
        try {
          const measured = await runOnce(load, server, plan)
          figures.push(measured)
          plan.say(`${title}: ${summary(load, measured)}`)
        } catch (error) {
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

async function runOnce(load: Load, kind: ServerKind, plan: Plan): Promise<Figures> {
  const { scale, profileDirectory } = plan
  const dataDirectory = await mkdtemp(join(plan.dataDirectory, `coedit-bench-${kind.name}-`))
  const profiles = profileDirectory && join(profileDirectory, `${titleOf(load)}-${kind.name}`)
  if (profiles) await mkdir(profiles, { recursive: true })
  const started: RunningServer[] = []
  try {
    return await load.run({
      scale,
      dataDirectory,
      start: async () => {
        const server = await kind.start({ dataDirectory, profileDirectory: profiles, nodes: load.nodes ?? 1 })
        started.push(server)
        const { pids, backing } = server
        return { server, usage: new Usage(...pids), ...(backing !== undefined && { backing: new Usage(backing) }) }
      },
    })
  } finally {
    for (const server of started) await server.kill()
    await rm(dataDirectory, { recursive: true, force: true })
  }
}

function summary(load: Load, figures: Figures): string {
  return load.metrics.map(({ key, unit }) => `${key} ${figures[key]?.toPrecision(3)} ${unit}`).join(', ')
}
