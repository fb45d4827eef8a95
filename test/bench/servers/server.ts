import type { Release } from '../../support/temporary.ts'
import type { Dialect } from '../clients/dialect.ts'

/** A server that can be put under load. */
export interface ServerKind {
  readonly name: string
  /** What it stores with and how durably, for the report. */
  readonly settings: string
  readonly dialect: Dialect
  /** Whether several nodes of it can share the work. Default: it serves alone. */
  readonly isShared?: boolean
  /** Resolves when it accepts connections; rejects when it does not within half a minute. */
  start(options: StartOptions): Promise<RunningServer>
}

export interface StartOptions {
  readonly dataDirectory: string
  /** Where the server's CPU profile goes when it stops; undefined: none is taken. */
  readonly profileDirectory: string | undefined
  /** How many are to share the work; 1 where the kind serves alone. */
  readonly nodes: number
}

/** A process, or several that serve the same documents. */
export interface RunningServer {
  /** Of each node, without a trailing slash, `ws://127.0.0.1:PORT`. */
  readonly urls: readonly string[]
  /** Of all that it takes: the nodes, and what they share. The processes that these start belong to it as well. */
  readonly pids: readonly number[]
  /** Which of them the nodes share; undefined: none. */
  readonly backing?: number
  readonly dialect: Dialect
  /** Asks all to end and waits for them; kills a node after half a minute and rejects. */
  stop(): Promise<void>
  /** Ends all at once. */
  kill(): Promise<void>
}

/** What is started one after the other, and ended in the opposite order. */
export interface Together {
  readonly dialect: Dialect
  /** The process that the nodes share. */
  readonly backing: number
  readonly nodes: readonly (() => Promise<RunningServer>)[]
}

/** Starts nodes and what they share, as one server. `prepare` starts the latter, and releases it at the end. */
export async function startTogether(prepare: (release: Release) => Promise<Together>): Promise<RunningServer> {
  const undos: (() => Promise<void>)[] = []
  const nodes: RunningServer[] = []
  const end = async (how: (node: RunningServer) => Promise<void>): Promise<void> => {
    try {
      await Promise.all(nodes.map(how))
    } finally {
      for (const undo of undos.toReversed()) await undo()
    }
  }
  const kill = () => end((node) => node.kill())
  try {
    const { dialect, backing, nodes: starts } = await prepare((undo) => undos.push(undo))
    for (const start of starts) nodes.push(await start())
    return {
      urls: nodes.flatMap(({ urls }) => urls),
      pids: [...nodes.flatMap(({ pids }) => pids), backing],
      backing,
      dialect,
      stop: () => end((node) => node.stop()),
      kill,
    }
  } catch (error) {
    await kill()
    throw error
  }
}
