import type { Writer } from '../protocol/update/update.ts'
import type { PresenceEntry } from '../protocol/wire/awareness.ts'
import type { Participant } from './participant.ts'
import type { Piece } from './piece.ts'

export type { WriteKey } from '../storage/document-store.ts'

/** Who writes, to know its own edits by. */
export interface Author {
  /** Whether the options `maxDocumentBytes` and `maxDocumentClients` hold for what it writes. */
  readonly isLimited: boolean
  /** Whether nothing is taken of an update where there is no room for all of it. Default: its deletions are. */
  readonly isAllOrNothing?: boolean
  /** The stored cursor of which what it writes is no news. */
  readonly cursor?: string
  /** Who that is, for the history. */
  readonly writer?: Writer | undefined
}

/** Whoever reads a document, as the document sees it; `Cursor` is what all of them use. */
export interface Subscriber {
  /** The last log position that it has taken or is being brought to; undefined before it has begun to follow. */
  readonly position: number | undefined
  /** Whether the document stays in memory for it. */
  readonly keeps: boolean
  /** Whether it is told when nothing but presence has changed. */
  readonly wantsPresence: boolean
  /** Something was committed or somebody's presence changed. Must not throw. */
  deliver(flush: Flush): void
  /** The document cannot go on (the server stops, storage failed, it was deleted): no more deliveries follow. */
  end(reason: EndReason): void
}

export type EndReason = 'restart' | 'failed' | 'deleted'

/** What one flush brings to all subscribers of a document. Whoever encodes it does so once for all, by its identity. */
export interface Flush {
  /** The log position before it, and after it. */
  readonly after: number
  readonly head: number
  readonly pieces: readonly Piece[]
  /** The only one who wrote what is in it, and who therefore need not be told; null for several or nobody. */
  readonly author: Author | null
  /** Whether other servers alone have committed it. */
  readonly isForeign: boolean
  readonly presence: PresenceStep | null
}

/** The presence that changed between two versions. */
export interface PresenceStep {
  readonly after: number
  readonly version: number
  readonly entries: readonly PresenceEntry[]
  /** Owners of some of them that count lower themselves: they must not be shown those, and get a message of their own. */
  readonly outpaced: ReadonlySet<Participant>
}
