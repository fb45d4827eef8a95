import { CoeditError, goneError } from '../common/errors.ts'
import type { DocumentStore, LogPart, Unfollow } from '../storage/document-store.ts'

/** How much of the log is read at a time. */
const READ_BYTES = 1024 * 1024

/** The document that entries are brought to. */
export interface Replica {
  readonly name: string
  /** The last number that is applied. */
  readonly head: number
  /**
   * Applies those entries that come next.
   * @throws CoeditError STORAGE_CONFLICT where the numbers are of an incarnation that does not go on with the one it has
   */
  enter(part: LogPart): void
  /** The log no longer holds what comes next: the document has to be loaded anew, or with GONE is deleted. */
  lose(error: unknown): void
}

/**
 * Brings to one document what other servers append to its log, strictly by number. What is reported is a hint: where
 * it leaves a gap, the log itself is read.
 */
export class SharedLog {
  readonly #replica: Replica
  readonly #store: Pick<DocumentStore, 'follow' | 'readAfter'>
  #unfollow: Unfollow = () => undefined
  /** The highest number that is known to be there. */
  #wanted = 0
  #isReading = false
  #hasEnded = false

  constructor(replica: Replica, store: Pick<DocumentStore, 'follow' | 'readAfter'>) {
    this.#replica = replica
    this.#store = store
  }

  start(): void {
    const { name, head } = this.#replica
    this.#unfollow = this.#store.follow(name, head, (part) => this.#take(part))
  }

  stop(): void {
    this.#hasEnded = true
    this.#unfollow()
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
    try {
      this.#replica.enter(part)
    } catch (error) {
      this.#replica.lose(error)
      return
    }
    this.want(part.entries.at(-1)?.seq ?? 0)
  }

  async #read(): Promise<void> {
    this.#isReading = true
    const { name } = this.#replica
    try {
      while (this.#replica.head < this.#wanted && !this.#hasEnded) {
        const part = await this.#store.readAfter(name, this.#replica.head, READ_BYTES)
        if (this.#hasEnded) break
        if (!part) throw new CoeditError('STORAGE_CONFLICT', `the log of '${name}' was compacted beyond what is known`)
        this.#replica.enter(part)
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
