import type { Doc } from 'yjs'

/**
 * What an embedding app is told of, and may add to. Each hook may be async. None holds up another document, another
 * connection or the server: what a hook throws is logged and counted, and it is given up after the option
 * `hookTimeoutMs`. `load` is the only one whose answer is waited for.
 */
export interface Hooks extends Listeners {
  /**
   * A document that was never written is opened. What it returns is committed, in one step, before anybody sees the
   * document; so it is asked again after a crash before that, and never after. While it fails the document is not
   * opened: clients are closed with 1011 and come back.
   */
  readonly load?: (event: LoadEvent) => Awaitable<Seed | undefined>
}

/**
 * The hooks that are told of something and asked for nothing, by what each is called with.
 *
 * Of several servers on one database one calls `commit` and `change` for a document. What it had not told when it is
 * killed is told by another one, or when it is started again: its last call may be repeated by that.
 */
interface Events {
  /**
   * Edits have become durable: called after each commit, one call at a time for a document, in the order of the log. A
   * call that takes longer than the next commit gets the further ones together in the next call.
   */
  readonly commit: Change
  /**
   * Edits have become durable: called once nobody has written for `changeQuietMs`, and while somebody writes all the
   * time every `changeMaxWaitMs`.
   */
  readonly change: Change
  /** A WebSocket has joined a document. */
  readonly connect: ConnectionFacts
  /** A WebSocket that `connect` was called for is gone. */
  readonly disconnect: ConnectionFacts
  /** A document leaves memory: nobody follows it, everything is durable and told. */
  readonly close: CloseEvent
}

export type ListenerName = keyof Events
export type EventOf<Name extends ListenerName> = Events[Name]
export type Listeners = { readonly [Name in ListenerName]?: (event: Events[Name]) => Awaitable<void> }

export type HookName = keyof Hooks

export type Awaitable<T> = T | Promise<T>

/** A document's first content: a Yjs update (v1), or what writes it into an empty document. */
export type Seed = Uint8Array | ((doc: Doc) => void)

export interface LoadEvent {
  readonly name: string
  /** Aborted when the answer is not waited for any longer. */
  readonly signal: AbortSignal
}

/** What has become durable since the last call. */
export interface Change {
  readonly name: string
  /** The number of the last commit in it. It grows by one with each, from 1. */
  readonly seq: number
  /**
   * The change as Yjs updates (v1), in order. A hook that lags far behind may get the whole document instead, which is safe to
   * apply twice.
   */
  readonly updates: readonly Uint8Array[]
  /** The whole document as it is now, as `server.read` gives it. */
  read(): Promise<Doc>
  /** Edits the document as `server.edit` does; this hook is not told of it unless others wrote at the same moment. */
  edit<T>(change: (doc: Doc) => T): Promise<T>
}

/** The same object for `connect` and `disconnect`. */
export interface ConnectionFacts {
  /** Of the document. */
  readonly name: string
  /** Who it is, where that is known. */
  readonly user: string | undefined
  readonly access: 'read' | 'write'
}

export interface CloseEvent {
  readonly name: string
}

/** How the calls of one hook have ended. */
export interface HookCounts {
  /** Calls that were made. */
  readonly calls: number
  /** Calls that threw, or returned what cannot be used. */
  readonly failures: number
  /** Calls that were given up after `hookTimeoutMs`, or since the server closed. */
  readonly timeouts: number
  /** Calls that were not made, since `maxHookCalls` were under way. */
  readonly dropped: number
}
