import { cpuMeter, SampledMeter } from '../common/busy-time.ts'
import { type Meters, NO_METERS } from '../common/meters.ts'
import { type Clock, Condition } from '../common/timing.ts'
import type { Config } from '../config/config.ts'

/** How much time of the event loop a connection may take at once, as so many seconds of what it may take for long. */
const CPU_BURST_SECONDS = 10

/** In work that takes no longer, in milliseconds, the process cannot have stood still for long. */
const LONG_MS = 500

/** Of the process, for all connections. */
const CPU_TIME = new SampledMeter(cpuMeter)

/** A budget that refills steadily. It may be overdrawn once, and then has to recover. */
class Budget {
  readonly #perMs: number
  readonly #max: number
  #left: number
  #at: number

  constructor(perSecond: number, max: number, now: number) {
    this.#perMs = perSecond / 1000
    this.#max = max
    this.#left = max
    this.#at = now
  }

  spend(amount: number): void {
    this.#left -= amount
  }

  /** Milliseconds until nothing is overdrawn any more; 0 where nothing is. */
  recoveryMs(now: number): number {
    this.#left = Math.min(this.#max, this.#left + (now - this.#at) * this.#perMs)
    this.#at = now
    return Math.max(0, -this.#left / this.#perMs)
  }
}

/**
 * What one connection may cost, in bytes received and in time of the event loop. Who passes it is not closed but read
 * later: an honest client that comes back with a large document is only slowed down.
 */
export class Throttle {
  readonly #clock: Clock
  readonly #meters: Meters
  readonly #cpuTime: SampledMeter
  readonly #bytes: Budget
  readonly #cpu: Budget
  readonly #lifted = new Condition()
  #isLifted = false

  /** @param cpuTime how much CPU time the process has used */
  constructor(
    { maxBytesPerSecond, maxBurstBytes, maxCpuMsPerSecond }: Config,
    clock: Clock,
    meters = NO_METERS,
    cpuTime = CPU_TIME,
  ) {
    const now = clock.now()
    this.#clock = clock
    this.#meters = meters
    this.#cpuTime = cpuTime
    this.#bytes = new Budget(maxBytesPerSecond, maxBurstBytes, now)
    this.#cpu = new Budget(maxCpuMsPerSecond, CPU_BURST_SECONDS * maxCpuMsPerSecond, now)
  }

  received(byteLength: number): void {
    this.#bytes.spend(byteLength)
  }

  /** Does the work, and counts the time that it takes, save for what of it the process stood still. */
  measure<T>(work: () => T): T {
    const startedAt = this.#clock.now()
    const usedThen = this.#cpuTime.lately(startedAt)
    try {
      return work()
    } finally {
      const tookMs = this.#clock.now() - startedAt
      // The clock goes on while the process is stopped, and other threads use CPU time as well.
      this.#cpu.spend(tookMs < LONG_MS ? tookMs : Math.min(tookMs, this.#cpuTime.now() - usedThen))
    }
  }

  /** Resolves when the connection may cost more; undefined where it may at once. */
  pause(): Promise<unknown> | undefined {
    const now = this.#clock.now()
    const [bytesMs, cpuMs] = [this.#bytes.recoveryMs(now), this.#cpu.recoveryMs(now)]
    const recoveryMs = Math.max(bytesMs, cpuMs)
    if (recoveryMs === 0 || this.#isLifted) return undefined
    this.#meters.limited(bytesMs > cpuMs ? 'maxBytesPerSecond' : 'maxCpuMsPerSecond')
    return this.#lifted.waitFor(this.#clock, recoveryMs)
  }

  /** Ends a pause, and lets no other begin. */
  lift(): void {
    this.#isLifted = true
    this.#lifted.notify()
  }
}
