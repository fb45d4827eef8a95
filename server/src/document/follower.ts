import type { Log } from '../common/log.ts'
import { type Clock, Condition } from '../common/timing.ts'
import type { HookCalls } from '../hooks/calls.ts'
import type { Change } from '../hooks/hooks.ts'
import type { CursorOutcome, CursorStore } from '../storage/cursor-store.ts'
import type { Cursor } from './cursor.ts'
import type { Document } from './document.ts'
import type { DocumentSource, InProcess } from './in-process.ts'
import type { Piece } from './piece.ts'
import type { Author, Flush } from './subscriber.ts'

/** When a hook or a webhook is told of commits. */
export interface Pace {
  /** Milliseconds after the last commit. */
  readonly quietMs: number
  /** Most milliseconds after the first commit that was not told of. */
  readonly maxWaitMs: number
}

export interface FollowerContext {
  readonly clock: Clock
  readonly log: Log
  readonly hooks: HookCalls
  readonly storage: CursorStore
  readonly documents: DocumentSource
  readonly inProcess: InProcess
}

/**
 * Tells a hook what becomes durable, up to where its stored cursor says that all was told. Of several servers the one tells
 * it that holds the cursor, which is the one that wrote first. A slow hook stays behind, and what it missed is read in
 * one go. The document stays in memory for it only while it is behind.
 */
export class Follower implements Author {
  readonly isLimited = false
  readonly cursor: 'commit' | 'change'
  readonly #document: Document
  readonly #pace: Pace
  readonly #context: FollowerContext
  readonly #moved = new Condition()
  #reader: Cursor | undefined
  #lastCommitAt = 0
  /** When the first commit came that it was not told of. */
  #untoldSince: number | undefined

  constructor(hook: 'commit' | 'change', document: Document, pace: Pace, context: FollowerContext) {
    this.cursor = hook
    this.#document = document
    this.#pace = pace
    this.#context = context
  }

  /** Follows the document from here on, for as long as it is in memory. */
  start(): void {
    const reader = this.#context.documents.follow(this.#document, {
      position: this.#document.head,
      keeps: false,
      onFlush: (flush) => this.#flushed(flush, reader),
      // The server closes, so what is still to be told is told now.
      onEnd: () => this.#moved.notify(),
    })
    this.#reader = reader
  }

  /** Tells what was left untold, unless that is under way. */
  resume(): void {
    if (this.#reader && !this.#reader.keeps) void this.#catchUp(this.#reader)
  }

  #flushed(flush: Flush, reader: Cursor): void {
    // Its own edits are no news to it: a hook that edits what it is told of would never come to an end. What others commit
    // is told by them, as long as there is nothing to be told here.
    if (flush.author === this || (flush.isForeign && !reader.keeps)) reader.follow(flush)
    this.#moved.notify()
    if (!reader.isBehind) return
    this.#lastCommitAt = this.#context.clock.now()
    this.#untoldSince ??= this.#lastCommitAt
    if (!reader.keeps) void this.#catchUp(reader)
  }

  async #catchUp(reader: Cursor): Promise<void> {
    reader.keep(true)
    try {
      do await this.#tellDue(reader)
      while (reader.isBehind)
    } catch (error) {
      this.#context.log.error({ err: error, document: this.#document.name }, 'what to tell a hook could not be read')
      reader.seek(this.#document.head)
    }
    reader.keep(false)
  }

  /** Tells until nothing is left, or another server does. */
  async #tellDue(reader: Cursor): Promise<void> {
    const { storage, hooks } = this.#context
    await this.#pause()
    const { name, head, hasFailed } = this.#document
    if (hasFailed) return reader.seek(head)
    const place = await storage.claim(this.cursor, name)
    // What was committed meanwhile is looked at again.
    reader.seek(place?.seq ?? head)
    for (let outcome: CursorOutcome = place ? 'behind' : 'lost'; outcome === 'behind'; ) {
      if (reader.isBehind) await this.#tell(reader)
      outcome = await storage.advance(this.cursor, name, reader.position ?? 0, this.#document.incarnation)
      if (outcome === 'lost') reader.seek(this.#document.head)
      if (outcome !== 'behind') return
      // What is not told when the server closes, or the document is loaded anew, is told by who finds it.
      if (!reader.isBehind && (hooks.isClosing || reader.hasEnded)) return
      if (!reader.isBehind) await this.#moved.wait()
      await this.#pause()
    }
  }

  async #tell(reader: Cursor): Promise<void> {
    await reader.read()
    this.#untoldSince = reader.isBehind ? this.#context.clock.now() : undefined
    const seq = reader.position ?? 0
    await this.#context.hooks.tell(this.cursor, this.#changeOf([...reader.rest()], seq))
  }

  async #pause(): Promise<void> {
    const { clock, hooks } = this.#context
    while (!hooks.isClosing) {
      const latest = (this.#untoldSince ?? 0) + this.#pace.maxWaitMs
      const delay = Math.min(this.#lastCommitAt + this.#pace.quietMs, latest) - clock.now()
      if (delay <= 0) return
      await this.#moved.waitFor(clock, delay)
    }
  }

  #changeOf(pieces: readonly Piece[], seq: number): Change {
    const { inProcess } = this.#context
    const { name } = this.#document
    return {
      name,
      seq,
      get updates() {
        // This copies, since a piece is the memory that clients are sent.
        return pieces.map(({ update }) => new Uint8Array(update))
      },
      read: () => inProcess.read(name),
      edit: (change) => inProcess.edit(name, change, this),
    }
  }
}
