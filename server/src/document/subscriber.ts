import type { Chunked, Piece } from './piece.ts'

/**
 * Whoever follows a document: a socket, an event stream. It keeps its own cursor; the document keeps no queue for it.
 */
export interface Subscriber {
  /** The last log position that it has taken; undefined before it has begun to follow. */
  readonly position: number | undefined
  /** The snapshot that it is being sent, and which is in memory until it has it; undefined where there is none. */
  readonly snapshot: Chunked | undefined
  /**
   * Something was committed or somebody's presence changed. A subscriber that stands at `flush.after` and has room
   * takes it; any other reads what it missed from the document later. Must not throw.
   */
  deliver(flush: Flush): void
  /** The document cannot go on (the server stops, storage failed): no more deliveries follow. */
  end(reason: EndReason): void
}

export type EndReason = 'restart' | 'failed'

/** Whoever hears of commits and does not keep the document in memory for it. */
export interface Observer {
  /** Called when the subscribers have been told. Must not throw. */
  committed(flush: Flush): void
}

/** What one flush brings to all subscribers of a document, with the bytes that they share. */
export class Flush {
  /** The log position before it. */
  readonly after: number
  readonly pieces: readonly Piece[]
  /** The only one who wrote what is in it, and who therefore need not be told; null for several or nobody. */
  readonly author: Subscriber | null
  readonly presence: PresenceStep | null
  #whole: Buffer | undefined

  constructor(after: number, pieces: readonly Piece[], author: Subscriber | null, presence: PresenceStep | null) {
    this.after = after
    this.pieces = pieces
    this.author = author
    this.presence = presence
  }

  /** The log position after it. */
  get head(): number {
    return this.after + this.pieces.length
  }

  /** All frames as one buffer, so that a socket is written once. */
  get whole(): Buffer {
    this.#whole ??= this.#concatenate()
    return this.#whole
  }

  #concatenate(): Buffer {
    const frames = this.pieces.map((piece) => piece.frame)
    if (this.presence) frames.push(this.presence.frame)
    return frames.length === 1 && frames[0] ? frames[0] : Buffer.concat(frames)
  }
}

/** The presence that changed between two versions. */
export interface PresenceStep {
  readonly after: number
  readonly version: number
  readonly frame: Buffer
}
