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
