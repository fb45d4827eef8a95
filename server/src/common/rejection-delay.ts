import { Recent } from './recent.ts'
import type { Clock } from './timing.ts'

const FIRST_MS = 100
const LONGEST_MS = 10_000
/** After so long without a rejection it starts anew. */
const FORGET_MS = 60_000
const MAX_KEYS = 10_000

/** How long a rejection waits: doubling for each one of the same key, so that clients that insist cost little. */
export class RejectionDelay {
  readonly #clock: Clock
  readonly #last = new Recent<string, { delay: number; at: number }>(MAX_KEYS)

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Milliseconds to wait before the next rejection of this key: an address, or the name of a document. */
  next(key: string): number {
    const now = this.#clock.now()
    const last = this.#last.get(key)
    const delay = last && now - last.at < FORGET_MS ? Math.min(2 * last.delay, LONGEST_MS) : FIRST_MS
    this.#last.set(key, { delay, at: now })
    return delay
  }
}
