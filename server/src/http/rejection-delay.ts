import type { Clock } from '../clock.ts'

const FIRST_MS = 100
const LONGEST_MS = 10_000
/** After so long without a rejection an address starts anew. */
const FORGET_MS = 60_000
/** Addresses remembered; past that the oldest is forgotten. */
const MAX_ADDRESSES = 10_000

/** How long a rejection waits: doubling for each one to the same address, so that a client that insists costs little. */
export class RejectionDelay {
  readonly #clock: Clock
  readonly #addresses = new Map<string, { delay: number; at: number }>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Milliseconds to wait before the next rejection to this address. */
  next(address: string): number {
    const now = this.#clock.now()
    const last = this.#addresses.get(address)
    const delay = last && now - last.at < FORGET_MS ? Math.min(2 * last.delay, LONGEST_MS) : FIRST_MS
    this.#addresses.delete(address)
    this.#addresses.set(address, { delay, at: now })
    const [oldest] = this.#addresses.keys()
    if (this.#addresses.size > MAX_ADDRESSES && oldest !== undefined) this.#addresses.delete(oldest)
    return delay
  }
}
