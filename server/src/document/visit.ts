import { CoeditError } from '../common/errors.ts'
import { Condition } from '../common/timing.ts'
import type { Document } from './document.ts'
import type { EndReason, Subscriber } from './subscriber.ts'

/** Keeps a document in memory for a while, and tells when an edit is durable. */
export class Visit implements Subscriber {
  /** It reads by itself. */
  readonly position = undefined
  readonly snapshot = undefined
  readonly #news = new Condition()
  #hasFailed = false

  deliver(): void {
    this.#news.notify()
  }

  /** A server that closes commits first what it was given. */
  end(reason: EndReason): void {
    this.#hasFailed = reason === 'failed'
    this.#news.notify()
  }

  /** Resolves when what has this ticket is durable. Rejects with STORAGE_CLOSED when it never will be. */
  async durable(document: Document, ticket: number): Promise<void> {
    while (document.durableTicket < ticket) {
      if (this.#hasFailed) throw new CoeditError('STORAGE_CLOSED', `an edit of '${document.name}' could not be stored`)
      await this.#news.wait()
    }
  }
}
