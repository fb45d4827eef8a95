import type { Dialect } from '../clients/dialect.ts'

/** A server that can be put under load. */
export interface ServerKind {
  readonly name: string
  /** What it stores with and how durably, for the report. */
  readonly settings: string
  readonly dialect: Dialect
  /** Resolves when it accepts connections; rejects when it does not within half a minute. */
  start(options: StartOptions): Promise<RunningServer>
}

export interface StartOptions {
  readonly dataDirectory: string
  /** Where the server's CPU profile goes when it stops; undefined: none is taken. */
  readonly profileDirectory: string | undefined
}

export interface RunningServer {
  /** Without a trailing slash, `ws://127.0.0.1:PORT`. */
  readonly url: string
  readonly pid: number
  readonly dialect: Dialect
  /** Asks the process to end and waits for it; kills it after half a minute and rejects. */
  stop(): Promise<void>
  /** Ends the process at once. */
  kill(): Promise<void>
}
