import type { Log } from '../common/log.ts'
import { type Clock, Condition } from '../common/timing.ts'
import type { HookCalls } from '../hooks/calls.ts'
import type { Change } from '../hooks/hooks.ts'
import type { Document } from './document.ts'
import type { DocumentSource, InProcess } from './in-process.ts'
import type { Reading } from './reading.ts'
import type { Flush, Observer, Subscriber } from './subscriber.ts'

/** When a hook is called. */
export interface Pace {
  /** So long after the last commit, in milliseconds. */
  readonly quietMs: number
  /** But no longer than this after the first one that it was not told of. */
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
 * Tells a hook what becomes durable. Like everybody it is a cursor on the log: a slow hook stays behind, and what it
 * missed is read from there in one go; there is no queue. It keeps the document in memory only while it is behind.
 */
export class Follower implements Observer, Subscriber {
  /** It takes it in one go, and lets go of it. */
  readonly snapshot = undefined
  readonly #hook: 'commit' | 'change'
  readonly #document: Document
  readonly #pace: Pace
  readonly #context: FollowerContext
  readonly #ended = new Condition()
  #position: number
  #isBehind = false
  #lastCommitAt = 0

  constructor(hook: 'commit' | 'change', document: Document, pace: Pace, context: FollowerContext) {
    this.#hook = hook
    this.#document = document
    this.#pace = pace
    this.#context = context
    this.#position = document.head
  }

  get position(): number {
    return this.#position
  }

  committed({ author, after, head }: Flush): void {
    // Its own edits are no news to it: a hook that edits what it is told of would never come to an end.
    if (author === this && after === this.#position) this.#position = head
    if (this.#position === head) return
    this.#lastCommitAt = this.#context.clock.now()
    if (!this.#isBehind) void this.#catchUp()
  }

  /** What it follows are commits alone, see `committed`. */
  deliver(): void {}

  /** The server closes: what is still to be told is told now. */
  end(): void {
    this.#ended.notify()
  }

  async #catchUp(): Promise<void> {
    this.#isBehind = true
    this.#document.subscribe(this)
    try {
      while (this.#position < this.#document.head) await this.#tell()
    } catch (error) {
      this.#context.log.error({ err: error, document: this.#document.name }, 'what to tell a hook could not be read')
      this.#position = this.#document.head
    }
    this.#isBehind = false
    this.#document.unsubscribe(this)
  }

  async #tell(): Promise<void> {
    await this.#pause()
    const reading = await this.#context.documents.readSince(this.#document, this.#position)
    this.#position = reading.position
    await this.#context.hooks.tell(this.#hook, this.#changeOf(reading))
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

  #changeOf({ pieces, position }: Reading): Change {
    const { inProcess } = this.#context
    const { name } = this.#document
    return {
      name,
      seq: position,
      get updates() {
        // Copies: a piece is the memory that clients are sent.
        return pieces.map(({ update }) => new Uint8Array(update))
      },
      read: () => inProcess.read(name),
      edit: (change) => inProcess.edit(name, change, this),
    }
  }
}
