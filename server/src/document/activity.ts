/** After so long what has happened counts half. */
const HALF_LIFE_MS = 30_000
const MINUTE_MS = 60_000

/** How much happens of late, in two numbers however much that is. */
export class Activity {
  #count = 0
  #at = 0

  note(count: number, now: number): void {
    this.#count = this.#countAt(now) + count
    this.#at = now
  }

  /** What there would be in a minute if it went on like this. */
  perMinute(now: number): number {
    return (this.#countAt(now) * Math.LN2 * MINUTE_MS) / HALF_LIFE_MS
  }

  #countAt(now: number): number {
    return this.#count * 2 ** ((this.#at - now) / HALF_LIFE_MS)
  }
}
