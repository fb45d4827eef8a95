import type { Cancel, Clock } from '../common/timing.ts'
import type { Pace } from '../document/follower.ts'

/** How many documents a webhook is told of at once. */
const MAX_UNDER_WAY = 8
/** Documents that wait in memory; what others are to be told of is looked up later. */
const MAX_WAITING = 1_000

interface Waiting {
  readonly since: number
  latest: number
  cancel: Cancel
}

/**
 * The documents of which one webhook is to be told next. Each is told of by one call at a time, and never by more than a few together,
 * so that a receiver that is slow or dead holds up itself alone.
 */
export class Queue {
  readonly #clock: Clock
  readonly #pace: () => Pace
  readonly #tell: (document: string) => Promise<void>
  readonly #waiting = new Map<string, Waiting>()
  readonly #due = new Set<string>()
  readonly #underWay = new Map<string, Promise<void>>()
  #isClosed = false

  /**
   * @param pace asked whenever something waits
   * @param tell must not reject
   */
  constructor(clock: Clock, pace: () => Pace, tell: (document: string) => Promise<void>) {
    this.#clock = clock
    this.#pace = pace
    this.#tell = tell
  }

  /** How many more documents have room. */
  get room(): number {
    return Math.max(0, MAX_WAITING - this.#waiting.size - this.#due.size)
  }

  /** A commit is to be told of, when it is quiet. */
  committed(document: string): void {
    const now = this.#clock.now()
    const waiting = this.#waiting.get(document)
    if (waiting) waiting.latest = now
    else if (this.room > 0 && !this.#isClosed)
      this.#wait(document, { since: now, latest: now, cancel: () => undefined })
  }

  /** Something is to be told of now, unless it waits for quiet. */
  found(document: string): void {
    if (this.#waiting.has(document) || this.#underWay.has(document)) return
    this.#ready(document)
  }

  /** Something is to be told of now. */
  hurry(document: string): void {
    this.#waiting.get(document)?.cancel()
    this.#waiting.delete(document)
    this.#ready(document)
  }

  /** Begins nothing any more. Resolves when nothing is under way. */
  async close(): Promise<void> {
    this.#isClosed = true
    for (const { cancel } of this.#waiting.values()) cancel()
    this.#waiting.clear()
    this.#due.clear()
    await Promise.all(this.#underWay.values())
  }

  #wait(document: string, waiting: Waiting): void {
    const { quietMs, maxWaitMs } = this.#pace()
    const at = Math.min(waiting.latest + quietMs, waiting.since + maxWaitMs)
    const delayMs = at - this.#clock.now()
    if (delayMs <= 0) {
      this.#waiting.delete(document)
      this.#ready(document)
      return
    }
    this.#waiting.set(document, waiting)
    waiting.cancel = this.#clock.after(delayMs, () => this.#wait(document, waiting))
  }

  #ready(document: string): void {
    if (this.#isClosed || (this.room === 0 && !this.#due.has(document))) return
    this.#due.add(document)
    this.#begin()
  }

  #begin(): void {
    for (const document of this.#due) {
      if (this.#underWay.size >= MAX_UNDER_WAY || this.#isClosed) return
      // What has come since is told when it has ended.
      if (this.#underWay.has(document)) continue
      this.#due.delete(document)
      const telling = this.#tell(document).finally(() => {
        this.#underWay.delete(document)
        this.#begin()
      })
      this.#underWay.set(document, telling)
    }
  }
}
