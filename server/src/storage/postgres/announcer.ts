import type { Log } from '../../common/log.ts'
import type { Broadcast } from './broadcast.ts'
import { encodeHints, type Hint } from './hints.ts'

/** Hints that wait to be sent, past which further ones are dropped. */
const MAX_QUEUED = 10_000

/**
 * Tells the other nodes of what was appended or deleted, where the statement itself did not. What is not told is found by
 * comparing heads.
 */
export class Announcer {
  readonly #sender: string
  readonly #broadcast: Pick<Broadcast, 'send'>
  readonly #log: Log
  #queue: Hint[] = []
  #isSending = false

  constructor(sender: string, broadcast: Pick<Broadcast, 'send'>, log: Log) {
    this.#sender = sender
    this.#broadcast = broadcast
    this.#log = log
  }

  announce(hints: readonly Hint[]): void {
    if (this.#queue.length >= MAX_QUEUED) return
    this.#queue.push(...hints)
    if (!this.#isSending) void this.#sendAll()
  }

  async #sendAll(): Promise<void> {
    this.#isSending = true
    while (this.#queue.length > 0) {
      const hints = this.#queue
      this.#queue = []
      const payloads = encodeHints(this.#sender, hints)
      if (payloads.length > 0) await this.#send(payloads)
    }
    this.#isSending = false
  }

  async #send(payloads: readonly string[]): Promise<void> {
    try {
      await this.#broadcast.send('coedit', payloads)
    } catch (error) {
      this.#log.debug({ err: error }, 'other servers could not be told what was written')
    }
  }
}
