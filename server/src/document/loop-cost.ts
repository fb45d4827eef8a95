import { loopMeter, type Meter } from '../common/busy-time.ts'
import type { Clock } from '../common/timing.ts'

/** How often it is measured, in milliseconds. */
const INTERVAL_MS = 100

/** How much of the last measurements one leaves over. */
const KEPT = 0.9

/** More than this, the loop is busy with what is no document's. */
const MAX_FACTOR = 4

/**
 * What the work of documents costs the event loop in all: reading from sockets, collections of garbage and whatever else
 * nobody measures for one document is shared out among them by what is measured.
 */
export class LoopCost {
  readonly #clock: Pick<Clock, 'now'>
  readonly #meter: Meter
  #measuredAt: number
  #busyThen: number
  #workMs = 0
  #recent = { workMs: 0, busyMs: 0 }

  constructor(clock: Pick<Clock, 'now'>, meter = loopMeter) {
    this.#clock = clock
    this.#meter = meter
    this.#measuredAt = clock.now()
    this.#busyThen = meter()
  }

  /** Counts so many milliseconds of work of one document, and tells for how many the loop was busy with it. */
  of(workMs: number): number {
    this.#workMs += workMs
    if (this.#clock.now() - this.#measuredAt >= INTERVAL_MS) this.#measure()
    const { workMs: recentMs, busyMs } = this.#recent
    return recentMs === 0 ? workMs : workMs * Math.min(Math.max(busyMs / recentMs, 1), MAX_FACTOR)
  }

  #measure(): void {
    const busy = this.#meter()
    this.#recent.workMs = this.#recent.workMs * KEPT + this.#workMs
    this.#recent.busyMs = this.#recent.busyMs * KEPT + busy - this.#busyThen
    this.#workMs = 0
    this.#busyThen = busy
    this.#measuredAt = this.#clock.now()
  }
}
