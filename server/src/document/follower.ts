import type { Log } from '../common/log.ts'
import { type Clock, Condition } from '../common/timing.ts'
import type { HookCalls } from '../hooks/calls.ts'
import type { Change } from '../hooks/hooks.ts'
import type { Cursor } from './cursor.ts'
import type { Document } from './document.ts'
import type { DocumentSource, InProcess } from './in-process.ts'
import type { Piece } from './piece.ts'
import type { Author, Flush } from './subscriber.ts'

/** When a hook is called. */
export interface Pace {
  /** Milliseconds after the last commit. */
  readonly quietMs: number
  /** Most milliseconds after the first commit that it was not told of. */
  readonly maxWaitMs: number
}

export interface FollowerContext {
  readonly clock: Clock
  readonly log: Log
  readonly hooks: HookCalls
  readonly documents: DocumentSource
  readonly inProcess: InProcess
}

/**
 * Tells a hook what becomes durable. A slow hook stays behind, and what it missed is read in one go. The document stays
 * in memory for it only while it is behind.
 */
export class Follower implements Author {
  readonly isLimited = false
  readonly #hook: 'commit' | 'change'
  readonly #document: Document
  readonly #pace: Pace
  readonly #context: FollowerContext
  readonly #ended = new Condition()
  #lastCommitAt = 0

  constructor(hook: 'commit' | 'change', document: Document, pace: Pace, context: FollowerContext) {
    this.#hook = hook
    this.#document = document
    this.#pace = pace
    this.#context = context
  }

  /** Follows the document from here on, for as long as it is in memory. */
  start(): void {
    const cursor = this.#context.documents.follow(this.#document, {
      position: this.#document.head,
      keeps: false,
      onFlush: (flush) => this.#flushed(flush, cursor),
      // The server closes, so what is still to be told is told now.
      onEnd: () => this.#ended.notify(),
    })
  }

  #flushed(flush: Flush, cursor: Cursor): void {
    // Its own edits are no news to it: a hook that edits what it is told of would never come to an end.
    if (flush.author === this) cursor.follow(flush)
    if (!cursor.isBehind) return
    this.#lastCommitAt = this.#context.clock.now()
    if (!cursor.keeps) void this.#catchUp(cursor)
  }

  async #catchUp(cursor: Cursor): Promise<void> {
    cursor.keep(true)
    try {
      while (cursor.isBehind) await this.#tell(cursor)
    } catch (error) {
      this.#context.log.error({ err: error, document: this.#document.name }, 'what to tell a hook could not be read')
      cursor.seek(this.#document.head)
    }
    cursor.keep(false)
  }

  async #tell(cursor: Cursor): Promise<void> {
    await this.#pause()
    await cursor.read()
    const seq = cursor.position ?? 0
    await this.#context.hooks.tell(this.#hook, this.#changeOf([...cursor.rest()], seq))
  }

  async #pause(): Promise<void> {
    const { clock, hooks } = this.#context
    const latest = clock.now() + this.#pace.maxWaitMs
    while (!hooks.isClosing) {
      const delay = Math.min(this.#lastCommitAt + this.#pace.quietMs, latest) - clock.now()
      if (delay <= 0) return
      await this.#ended.waitFor(clock, delay)
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
