/** How long one reading serves, in milliseconds. */
const SAMPLE_MS = 1_000

/** Milliseconds that somebody has worked since a time in the past. */
export type Meter = () => number

/** For how long the event loop has been busy. */
export const loopMeter: Meter = () => performance.eventLoopUtilization().active

/** CPU time of the process, of all its threads. Other than a clock it stands still where the process does. */
export const cpuMeter: Meter = () => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

/** A meter for those who ask often: reading how much CPU time a process of ten threads has used takes some 20 µs. */
export class SampledMeter {
  readonly #meter: Meter
  #readAt = Number.NEGATIVE_INFINITY
  #read = 0

  constructor(meter: Meter) {
    this.#meter = meter
  }

  /** What it said at most a second before `now`, which is of the same clock each time. */
  lately(now: number): number {
    if (now - this.#readAt >= SAMPLE_MS) {
      this.#readAt = now
      this.#read = this.#meter()
    }
    return this.#read
  }

  now(): number {
    return this.#meter()
  }
}
