import type { Meter } from '../common/busy-time.ts'
import type { Clock } from '../common/timing.ts'

export interface PacingOptions {
  /** Share of time (0 to 1) that the work may take; 0: each cycle is followed by the longest rest. */
  readonly busyShare: number
  /** The longest rest in milliseconds. */
  readonly maxGatherMs: number
}

/** Timers know nothing shorter, in milliseconds. */
export const SHORTEST_REST_MS = 1

/**
 * How much busy time an idle event loop saves up, in milliseconds. The first edits after a while, for which code is not
 * compiled yet, and a collection of garbage are then followed by no rest, which made their latency twice as long.
 */
const MAX_SAVED_MS = 150

/**
 * How long to rest between two cycles of work, by how busy somebody has been, be it the event loop or who tells others what
 * has changed: who has time to spare begins the next at once, and who is busy gathers more for it. Each wait is rest.
 */
export class Pacing {
  readonly #options: PacingOptions
  readonly #clock: Pick<Clock, 'now'>
  readonly #meter: Meter
  #countedAt: number
  #busyThen: number
  /** For how many milliseconds the loop may be busy without a rest; below zero, a rest is owed. */
  #allowanceMs = MAX_SAVED_MS

  constructor({ busyShare, maxGatherMs }: PacingOptions, clock: Pick<Clock, 'now'>, meter: Meter) {
    this.#options = { busyShare, maxGatherMs }
    this.#clock = clock
    this.#meter = meter
    this.#countedAt = clock.now()
    this.#busyThen = meter()
  }

  /**
   * How many milliseconds to rest on, before the next cycle. To be asked again after that: what is read from the sockets
   * during a rest keeps the event loop busy, too. Less than a timer knows stays owed.
   * @param restedMs how long the rest has been so far
   */
  restMs(restedMs = 0): number {
    const { busyShare, maxGatherMs } = this.#options
    const leftMs = Math.max(0, maxGatherMs - restedMs)
    if (busyShare === 0) return leftMs
    this.#count()
    const restMs = Math.min(-this.#allowanceMs / busyShare, leftMs)
    return restMs < SHORTEST_REST_MS ? 0 : restMs
  }

  #count(): void {
    const { busyShare, maxGatherMs } = this.#options
    const now = this.#clock.now()
    const busy = this.#meter()
    const allowanceMs = this.#allowanceMs + busyShare * (now - this.#countedAt) - (busy - this.#busyThen)
    // More than the longest rest makes good is forgiven: else all edits after a long computation would be late.
    this.#allowanceMs = Math.min(Math.max(allowanceMs, -busyShare * maxGatherMs), MAX_SAVED_MS)
    this.#countedAt = now
    this.#busyThen = busy
  }
}
