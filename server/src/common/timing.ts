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
