import type { Log } from '../../common/log.ts'
import { encodeHints, type Hint } from './hints.ts'
import type { Lane } from './lane.ts'

/** Hints that wait to be sent, past which further ones are dropped. */
const MAX_QUEUED = 10_000

const NOTIFY = `SELECT pg_notify('coedit', payload) FROM unnest($1::text[]) AS payload`

/**
 * Tells the other nodes what was appended, after it was. Not in the same transaction: commits that notify wait for each
 * other across all documents (8 writers: 7,481 commits a second become 3,364). Whatever is not told is found by comparing
 * heads.
 */
export class Announcer {
  readonly #sender: string
  readonly #lane: Lane
  readonly #log: Log
  #queue: Hint[] = []
  #isSending = false

  constructor(sender: string, lane: Lane, log: Log) {
    this.#sender = sender
    this.#lane = lane
    this.#log = log
  }

  announce(hints: readonly Hint[]): void {
    if (this.#queue.length >= MAX_QUEUED) return
    this.#queue.push(...hints)
    if (!this.#isSending) void this.#sendAll()
  }

  /** Sends a notification without a hint in it. */
  echo(): void {
    void this.#send(encodeHints(this.#sender, []))
  }

  async #sendAll(): Promise<void> {
    this.#isSending = true
    while (this.#queue.length > 0) {
      const hints = this.#queue
      this.#queue = []
      await this.#send(encodeHints(this.#sender, hints))
    }
    this.#isSending = false
  }

  async #send(payloads: readonly string[]): Promise<void> {
    try {
      await this.#lane.once((link) => link.query({ text: NOTIFY, values: [payloads] }))
    } catch (error) {
      this.#log.debug({ err: error }, 'other servers could not be told what was written')
    }
  }
}
