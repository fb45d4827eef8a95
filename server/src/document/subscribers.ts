import type { EndReason, Flush, Subscriber } from './subscriber.ts'

/** All who follow one document. */
export class Subscribers {
  readonly #all = new Set<Subscriber>()

  /** Whether the document has to stay in memory for one of them. */
  get keep(): boolean {
    for (const { keeps } of this.#all) if (keeps) return true
    return false
  }

  /** The lowest position of those who follow; infinite where nobody does. */
  get slowestPosition(): number {
    let slowest = Number.POSITIVE_INFINITY
    for (const { position } of this.#all) slowest = Math.min(slowest, position ?? slowest)
    return slowest
  }

  get size(): number {
    return this.#all.size
  }

  add(subscriber: Subscriber): void {
    this.#all.add(subscriber)
  }

  /** Tells whether it was one. */
  delete(subscriber: Subscriber): boolean {
    return this.#all.delete(subscriber)
  }

  deliver(flush: Flush): void {
    const isPresence = flush.head === flush.after && flush.presence !== null
    for (const subscriber of this.#all) if (subscriber.wantsPresence || !isPresence) subscriber.deliver(flush)
  }

  end(reason: EndReason): void {
    // Those who end leave, and others may come.
    for (const subscriber of [...this.#all]) subscriber.end(reason)
  }
}
