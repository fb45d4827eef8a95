import { type Clock, Condition } from '../common/timing.ts'
import type { PresenceEntry } from '../protocol/wire/awareness.ts'
import type { Document } from './document.ts'
import type { Participant } from './participant.ts'
import type { Piece } from './piece.ts'
import { inClosedOrder, type Reading } from './reading.ts'
import type { EndReason, Flush, PresenceStep, Subscriber } from './subscriber.ts'

/** Where the pieces of a document come from. */
export interface Reader {
  /** What a cursor at `position` has missed. */
  readSince(document: Document, position: number): Promise<Reading>
  /** The whole document: its snapshot in one, then each entry since on its own. */
  readApart(document: Document): Promise<Reading>
  /** What a client with this state vector lacks. Rejects with MESSAGE_MALFORMED. */
  readDifference(document: Document, stateVector: Uint8Array, position: number | undefined): Promise<Reading>
}

export interface CursorOptions {
  /** Where it stands. Default: nowhere, until it has answered a state vector. */
  readonly position?: number
  /** Whether the document stays in memory for it. Default true. */
  readonly keeps?: boolean
  /** Who takes part in the presence by it, and is told when nothing else has changed. Default: nobody. */
  readonly participant?: Participant
  /** Called for each flush, in the same turn of the event loop. Must not throw. */
  readonly onFlush?: (flush: Flush) => void
  /** Called when the document cannot go on. Must not throw. */
  readonly onEnd?: (reason: EndReason) => void
}

/**
 * A position in the log of a document, and one in its presence: all that the server keeps for whoever reads, be it a
 * socket, an event stream, a hook or code around the server. There is no queue. A cursor at the head moves over each
 * flush by `follow`. One that is behind has all that it missed merged into few pieces by `read`, and takes them one by
 * one by `next`, as fast as its reader takes them.
 */
export class Cursor implements Subscriber {
  readonly document: Document
  readonly #reader: Reader
  readonly #options: CursorOptions
  readonly #news = new Condition()
  #position: number | undefined
  #keeps: boolean
  #presenceVersion = 0
  #isReading = false
  /** Pieces that it was given to read, and what releases the snapshot of which they are chunks. */
  #pieces: Piece[] = []
  #release: (() => void) | undefined
  /** The same of the piece that was taken last, which is being sent until the next one is asked for. */
  #releaseTaken: (() => void) | undefined
  /** Whether those are a whole document, of which all build on the last one. */
  #isWhole = false
  #state: 'following' | EndReason | 'stopped' = 'following'

  constructor(document: Document, reader: Reader, options: CursorOptions) {
    this.document = document
    this.#reader = reader
    this.#options = options
    this.#position = options.position
    this.#keeps = options.keeps ?? true
  }

  /** While pieces are on their way, where it will stand when all are taken. */
  get position(): number | undefined {
    return this.#position
  }

  get wantsPresence(): boolean {
    return this.#options.participant !== undefined
  }

  get keeps(): boolean {
    return this.#keeps
  }

  /** Whether there is something that it has not read yet. */
  get isBehind(): boolean {
    return this.#position !== undefined && this.#position < this.document.head
  }

  /** Whether pieces are on their way, so that it moves over no flush. */
  get isBusy(): boolean {
    return this.#isReading || this.#pieces.length > 0
  }

  /** Whether no more is to be read: it was stopped, the server stops, or storage has failed. */
  get hasEnded(): boolean {
    return this.#state !== 'following'
  }

  deliver(flush: Flush): void {
    this.#options.onFlush?.(flush)
    this.#news.notify()
  }

  end(reason: EndReason): void {
    if (this.#state === 'following') this.#state = reason
    this.#options.onEnd?.(reason)
    this.#news.notify()
  }

  /** Goes to a position of the log. */
  seek(position: number): void {
    this.#position = position
  }

  /** Has the document stay in memory from now on, or no longer. */
  keep(keeps: boolean): void {
    this.#keeps = keeps
    if (!keeps) this.document.left()
  }

  /** Moves over a flush if it stands right before it; tells whether it did and there are pieces in it. */
  follow({ after, head }: Flush): boolean {
    if (this.isBusy || this.#position !== after || head === after) return false
    this.#position = head
    return true
  }

  /** Has all that it has missed be taken by `next`. Resolves as `answer` does. */
  read(): Promise<number> {
    return this.#begin(this.#reader.readSince(this.document, this.#position ?? 0))
  }

  /** Has the whole document be taken by `next`, each entry since its snapshot on its own. Resolves as `answer` does. */
  readApart(): Promise<number> {
    return this.#begin(this.#reader.readApart(this.document))
  }

  /**
   * Has what a client with this state vector lacks be taken by `next`; behind that it stands at the head. Resolves with
   * the bytes that were searched for this client alone. Rejects with MESSAGE_MALFORMED.
   */
  answer(stateVector: Uint8Array): Promise<number> {
    return this.#begin(this.#reader.readDifference(this.document, stateVector, this.#position))
  }

  /** The next piece on its way. Whoever takes one that was made for it alone has to let it go. */
  next(): Piece | undefined {
    const piece = this.#pieces.shift()
    if (!piece) this.#release = undefined
    if (this.#releaseTaken !== this.#release) this.#releaseTaken?.()
    this.#releaseTaken = this.#release
    return piece
  }

  /** All pieces on their way, in order. */
  *rest(): Generator<Piece, void, void> {
    for (let piece = this.next(); piece; piece = this.next()) yield piece
  }

  /** The same in an order in which each builds on those before it alone. */
  restInClosedOrder(): readonly Piece[] {
    return inClosedOrder([...this.rest()], this.#isWhole)
  }

  /** The presence that it was not shown yet: what a flush brings, or all since then. */
  newPresence(step?: PresenceStep): readonly PresenceEntry[] {
    const { presence } = this.document
    const { participant } = this.#options
    // Whoever came a moment before a flush was shown all of it then.
    if (step?.version === this.#presenceVersion) return []
    const hasMissed = step === undefined || step.after > this.#presenceVersion
    const entries = hasMissed ? presence.since(this.#presenceVersion, participant) : step.entries
    this.#presenceVersion = step?.version ?? presence.version
    return entries
  }

  /** Everybody's presence, whatever it was shown. */
  wholePresence(): readonly PresenceEntry[] {
    const { presence } = this.document
    this.#presenceVersion = presence.version
    return presence.everyone()
  }

  /** Resolves true when something was delivered or it has ended, false after `ms` milliseconds without. */
  moved(clock: Clock, ms: number): Promise<boolean> {
    return this.hasEnded ? Promise.resolve(true) : this.#news.waitFor(clock, ms)
  }

  /** Reads no more; the document stays in memory. */
  stop(): void {
    this.#state = 'stopped'
    this.#position = undefined
    this.#drop()
    this.#news.notify()
  }

  /** Needs the document no more. */
  release(): void {
    this.stop()
    this.document.unsubscribe(this)
  }

  async #begin(reading: Promise<Reading>): Promise<number> {
    this.#isReading = true
    try {
      const { pieces, position, searchedBytes, isWhole, release } = await reading
      this.#pieces = pieces
      this.#release = release
      this.#isWhole = isWhole
      if (this.#state === 'stopped') this.#drop()
      else this.#position = position
      return searchedBytes
    } finally {
      this.#isReading = false
    }
  }

  #drop(): void {
    for (const piece of this.#pieces.splice(0)) piece.letGo?.()
    this.#release?.()
    this.#releaseTaken?.()
    this.#release = undefined
    this.#releaseTaken = undefined
  }
}
