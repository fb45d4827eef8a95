import { CoeditError, goneError } from '../common/errors.ts'
import type { Cancel, Clock } from '../common/timing.ts'
import type { DocumentStore, LogPart, Unfollow } from '../storage/document-store.ts'

/** How much of the log is read at a time. */
const READ_BYTES = 1024 * 1024

/** The document that entries are brought to. */
export interface Replica {
  readonly name: string
  /** The last number that is applied. */
  readonly head: number
  /** For how many milliseconds what others append should wait, to be shown with what is shown next anyway. */
  gatherMs(): number
  /**
   * Applies those entries that come next, and shows them in one.
   * @throws CoeditError STORAGE_CONFLICT where the numbers are of an incarnation that does not go on with the one it has
   */
  enter(parts: readonly LogPart[]): void
  /** The log no longer holds what comes next: the document has to be loaded anew, or with GONE is deleted. */
  lose(error: unknown): void
}

/**
 * Brings to one document what other servers append to its log, strictly by number. What is reported is a hint: where
 * it leaves a gap, the log itself is read. While the document rests, or commits edits of its own, what is reported waits:
 * each time that a document is shown costs a write for each reader, whoever wrote what is in it.
 */
export class SharedLog {
  readonly #replica: Replica
  readonly #store: Pick<DocumentStore, 'follow' | 'readAfter'>
  readonly #clock: Clock
  readonly #maxGatherMs: number
  /** What was reported and is not applied yet, and until when that may be so. */
  #held: LogPart[] = []
  #heldUntil = 0
  #stopHolding: Cancel | undefined
  #unfollow: Unfollow = () => undefined
  /** The highest number that is known to be there. */
  #wanted = 0
  #isReading = false
  #hasEnded = false

  /** @param maxGatherMs how long what was reported may wait at most, in milliseconds */
  constructor(replica: Replica, store: Pick<DocumentStore, 'follow' | 'readAfter'>, clock: Clock, maxGatherMs: number) {
    this.#replica = replica
    this.#store = store
    this.#clock = clock
    this.#maxGatherMs = maxGatherMs
  }

  start(): void {
    const { name, head } = this.#replica
    this.#unfollow = this.#store.follow(name, head, (part) => this.#take(part))
  }

  stop(): void {
    this.#hasEnded = true
    this.#held = []
    this.#stopHolding?.()
    this.#unfollow()
  }

  /** What was reported and is not applied yet. */
  get held(): readonly LogPart[] {
    return this.#held
  }

  /** The last number of an incarnation that is applied, or will be with what is held. */
  reach(incarnation: number): number {
    let reach = this.#replica.head
    for (const part of this.#held) {
      if (part.incarnation !== incarnation) break
      for (const { seq } of part.entries) if (seq === reach + 1) reach = seq
    }
    return reach
  }

  /** To be called when the document has applied what is held as far as it could, and its own entries. */
  passed(): void {
    this.#held = this.#held.filter(({ entries }) => (entries.at(-1)?.seq ?? 0) > this.#replica.head)
    this.#stopHolding?.()
    if (this.#held.length > 0) this.#holdOn()
  }

  /** Brings all entries up to this number. */
  want(seq: number): void {
    this.#wanted = Math.max(this.#wanted, seq)
    if (!this.#isReading) void this.#read()
  }

  #take(part: LogPart): void {
    if (part.isDeleted) {
      this.#replica.lose(goneError(this.#replica.name))
      return
    }
    if (this.#held.length === 0) this.#heldUntil = this.#clock.now() + this.#maxGatherMs
    this.#held.push(part)
    this.#holdOn()
  }

  /** Applies what is held as soon as it has not to wait any more. */
  #holdOn(): void {
    this.#stopHolding?.()
    const waitMs = Math.min(this.#replica.gatherMs(), this.#heldUntil - this.#clock.now())
    if (waitMs > 0) this.#stopHolding = this.#clock.after(waitMs, () => this.#holdOn())
    else this.#release()
  }

  #release(): void {
    const parts = this.#held.splice(0)
    try {
      this.#replica.enter(parts)
    } catch (error) {
      this.#replica.lose(error)
      return
    }
    this.want(parts.at(-1)?.entries.at(-1)?.seq ?? 0)
  }

  async #read(): Promise<void> {
    this.#isReading = true
    const { name } = this.#replica
    try {
      while (this.#replica.head < this.#wanted && !this.#hasEnded) {
        const part = await this.#store.readAfter(name, this.#replica.head, READ_BYTES)
        if (this.#hasEnded) break
        if (!part) throw new CoeditError('STORAGE_CONFLICT', `the log of '${name}' was compacted beyond what is known`)
        this.#replica.enter([part])
        if (part.entries.length > 0 || this.#replica.head >= this.#wanted) continue
        // Whoever told of the number had it committed, so it was lost since: reading again would go on for ever.
        throw new CoeditError('STORAGE_CONFLICT', `the log of '${name}' has lost its entry ${this.#wanted}`)
      }
    } catch (error) {
      if (!this.#hasEnded) this.#replica.lose(error)
    }
    this.#isReading = false
  }
}
