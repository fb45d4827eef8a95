import type { Clock } from '../common/timing.ts'

/** Milliseconds that the event loop has been busy since the process began. */
type LoopMeter = () => number

const loopMeter: LoopMeter = () => performance.eventLoopUtilization().active

export interface PacingOptions {
  /** Share of time (0 to 1) that cycles may keep the event loop busy; 0: each is followed by the longest rest. */
  readonly busyShare: number
  /** The longest rest in milliseconds. */
  readonly maxGatherMs: number
}

/** Timers know nothing shorter, in milliseconds. */
const SHORTEST_REST_MS = 1

/**
 * How long to rest between two cycles of work, by how busy the last one kept the event loop: a machine with time to spare
 * begins the next at once, and a busy one gathers more for it. The time that a cycle waits for the disk counts as rest.
 */
export class Pacing {
  readonly #options: PacingOptions
  readonly #clock: Pick<Clock, 'now'>
  readonly #meter: LoopMeter
  #startedAt = 0
  #busyAtStart = 0
  #isCarried = false

  constructor({ busyShare, maxGatherMs }: PacingOptions, clock: Pick<Clock, 'now'>, meter = loopMeter) {
    this.#options = { busyShare, maxGatherMs }
    this.#clock = clock
    this.#meter = meter
  }

  /** A cycle begins. */
  begin(): void {
    if (this.#isCarried) return
    this.#startedAt = this.#clock.now()
    this.#busyAtStart = this.#meter()
  }

  /**
   * How many milliseconds to rest on, after what was done since the beginning. To be asked again after that: what is read
   * from the sockets during a rest keeps the event loop busy, too. Less than a timer knows waits for later cycles.
   * @param restedMs how long the rest has been so far
   */
  restMs(restedMs = 0): number {
    const { busyShare, maxGatherMs } = this.#options
    const left = maxGatherMs - restedMs
    if (busyShare === 0) return Math.max(0, left)
    const busy = this.#meter() - this.#busyAtStart
    const owed = busy / busyShare - (this.#clock.now() - this.#startedAt)
    this.#isCarried = owed > 0 && owed < SHORTEST_REST_MS
    const rest = Math.min(owed, left)
    return rest < SHORTEST_REST_MS ? 0 : rest
  }
}
