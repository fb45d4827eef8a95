/** Time as a parameter, so that deadlines are tested without waiting for them. */
export interface Clock {
  /** Milliseconds of the epoch, with fractions; never goes back. */
  now(): number
  /** Calls `action` once, `delayMs` from now, unless cancelled. Does not keep the process alive. */
  after(delayMs: number, action: () => void): Cancel
}

export type Cancel = () => void

export const systemClock: Clock = {
  now: () => performance.timeOrigin + performance.now(),
  after(delayMs, action) {
    const timer = setTimeout(action, delayMs).unref()
    return () => clearTimeout(timer)
  },
}

/** Settles as `work` does or, when that takes longer than `ms` milliseconds, with what `onLate` returns or throws. */
export async function withDeadline<T>(
  clock: Clock,
  ms: number,
  work: () => T | Promise<T>,
  onLate: () => T,
): Promise<T> {
  let cancel: Cancel = () => undefined
  const late = new Promise<void>((resolve) => {
    cancel = clock.after(ms, resolve)
  })
  try {
    return await Promise.race([work(), late.then(onLate)])
  } finally {
    cancel()
  }
}

/** Work that is done from time to time, each time once the one before has ended. */
export class Rounds {
  readonly #clock: Clock
  readonly #pauseMs: number
  readonly #work: () => Promise<void>
  #next: Cancel | undefined
  #underWay: Promise<void> | undefined
  #hasStopped = false

  /**
   * @param pauseMs from the end of each to the next, in milliseconds
   * @param work must not reject
   */
  constructor(clock: Clock, pauseMs: number, work: () => Promise<void>) {
    this.#clock = clock
    this.#pauseMs = pauseMs
    this.#work = work
  }

  get hasStopped(): boolean {
    return this.#hasStopped
  }

  /** @param delayMs until the first, in milliseconds */
  start(delayMs = 0): void {
    if (delayMs === 0) this.#begin()
    else this.#next = this.#clock.after(delayMs, () => this.#begin())
  }

  /** Begins nothing any more. Resolves when nothing is under way. */
  async stop(): Promise<void> {
    this.#hasStopped = true
    this.#next?.()
    await this.#underWay
  }

  #begin(): void {
    this.#underWay = this.#work().then(() => {
      if (!this.#hasStopped) this.#next = this.#clock.after(this.#pauseMs, () => this.#begin())
    })
  }
}

/** What some wait for and somebody else brings about. */
export class Condition {
  /** Undefined where nobody waits: each connection has several conditions, for which somebody hardly ever does. */
  #waiting: Set<() => void> | undefined

  /** Resolves with the next notification. */
  wait(): Promise<void> {
    return new Promise((resolve) => this.#add(resolve))
  }

  /** Resolves true with the next notification, or false after `ms` milliseconds without one. */
  waitFor(clock: Clock, ms: number): Promise<boolean> {
    return new Promise((resolve) => {
      const wake = () => {
        cancel()
        resolve(true)
      }
      const cancel = clock.after(ms, () => {
        this.#waiting?.delete(wake)
        resolve(false)
      })
      this.#add(wake)
    })
  }

  /** Wakes all who wait now. Who comes later waits for the next notification. */
  notify(): void {
    const waiting = this.#waiting
    if (!waiting) return
    this.#waiting = undefined
    for (const wake of waiting) wake()
  }

  #add(wake: () => void): void {
    this.#waiting ??= new Set()
    this.#waiting.add(wake)
  }
}

/** The longest delay that timers take, in milliseconds; a longer one would end at once. */
export const MAX_DELAY_MS = 2 ** 31 - 1

/**
 * Keeps the process alive until `work` has ended, and gives what it gives. The timers of a clock do not: a program that has
 * nothing else to do would end while it waits for one, with its work undone.
 */
export async function keepAlive<T>(work: Promise<T>): Promise<T> {
  const alive = setInterval(() => undefined, MAX_DELAY_MS)
  try {
    return await work
  } finally {
    clearInterval(alive)
  }
}
