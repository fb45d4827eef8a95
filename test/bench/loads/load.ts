import type { Scale } from '../scale.ts'
import type { RunningServer } from '../servers/server.ts'
import type { Usage } from '../servers/usage.ts'

/** What one load measured in one run, by the key of the metric. */
export type Figures = Readonly<Record<string, number>>

export interface Load {
  readonly name: string
  /** How many nodes share the work, in the loads that are about that. */
  readonly nodes?: number
  /** What happens, for the report. */
  describe(scale: Scale): string
  readonly metrics: readonly Metric[]
  /** Rejects when a client is lost, something takes too long, or the content is not what was written. */
  run(bench: Bench): Promise<Figures>
}

/** As the report and the log name it. */
export function titleOf({ name, nodes }: Load): string {
  return nodes === undefined ? name : `${name}-${nodes}`
}

/** A row of the report. */
export interface Metric {
  readonly key: string
  readonly label: string
  readonly unit: string
  readonly goal?: Goal
}

/** Of coedit's figure: not above a share of Hocuspocus' one, or not above or below a value. */
export type Goal = { readonly timesHocuspocus: number } | { readonly atMost: number } | { readonly atLeast: number }

/** What a load runs on: one kind of server, started as often as it likes on one fresh data directory. */
export interface Bench {
  readonly scale: Scale
  readonly dataDirectory: string
  /** The server is killed after the load, should it not have been stopped. */
  start(): Promise<Subject>
}

export interface Subject {
  readonly server: RunningServer
  readonly usage: Usage
  /** Of the PostgreSQL or Redis that several nodes share, which is in `usage` as well. */
  readonly backing?: Usage
}
