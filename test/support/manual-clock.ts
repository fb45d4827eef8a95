import type { Clock } from '../../server/src/common/timing.ts'

interface Timer {
  readonly at: number
  readonly action: () => void
}

/** A clock that stands still until it is advanced. */
export class ManualClock implements Clock {
  #now: number
  #timers: Timer[] = []
  #watchers: { isReached: () => boolean; reached: () => void }[] = []

  constructor(now = 1_700_000_000_000) {
    this.#now = now
  }

  now(): number {
    return this.#now
  }

  after(delayMs: number, action: () => void): () => void {
    const timer = { at: this.#now + delayMs, action }
    this.#timers.push(timer)
    for (const { isReached, reached } of this.#watchers) if (isReached()) reached()
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer)
    }
  }

  /** How long each pending timer has to run, in milliseconds. */
  get pending(): readonly number[] {
    return this.#timers.map(({ at }) => at - this.#now)
  }

  /** Resolves when at least `count` timers are pending. */
  hasTimers(count = 1): Promise<void> {
    return this.#until(() => this.#timers.length >= count)
  }

  /** Resolves when a timer has this long to run. */
  hasTimerOf(delayMs: number): Promise<void> {
    return this.#until(() => this.pending.includes(delayMs))
  }

  /** Lets time pass and calls what is due, in order. */
  advance(ms: number): void {
    this.#now += ms
    const due = this.#timers.filter(({ at }) => at <= this.#now).sort((a, b) => a.at - b.at)
    this.#timers = this.#timers.filter((timer) => !due.includes(timer))
    for (const { action } of due) action()
  }

  #until(isReached: () => boolean): Promise<void> {
    if (isReached()) return Promise.resolve()
    return new Promise((reached) => this.#watchers.push({ isReached, reached }))
  }
}
