import { type Cancel, type Clock, systemClock } from '../../server/src/common/timing.ts'

interface Timer {
  readonly at: number
  readonly fire: () => void
}

/**
 * The time of the system, in which a test can leap ahead: short delays run as they would, and nobody waits for deadlines.
 */
export class LeapingClock implements Clock {
  readonly #timers = new Set<Timer>()
  #ahead = 0

  now(): number {
    return systemClock.now() + this.#ahead
  }

  after(delayMs: number, action: () => void): Cancel {
    const fire = () => {
      cancel()
      action()
    }
    const timer = { at: this.now() + delayMs, fire }
    const cancelReal = systemClock.after(delayMs, fire)
    const cancel = () => {
      cancelReal()
      this.#timers.delete(timer)
    }
    this.#timers.add(timer)
    return cancel
  }

  /** Lets so much time have passed, and calls what has become due, in order. */
  leap(ms: number): void {
    this.#ahead += ms
    const now = this.now()
    const due = [...this.#timers].filter(({ at }) => at <= now).sort((a, b) => a.at - b.at)
    for (const timer of due) if (this.#timers.has(timer)) timer.fire()
  }
}
