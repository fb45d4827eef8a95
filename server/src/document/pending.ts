import { encodeNews, type News } from '../protocol/update/update.ts'
import { inGroups } from './grouping.ts'
import type { Subscriber } from './subscriber.ts'

/** What is handed over to be committed. */
export interface Batch {
  /** One for each log entry. */
  readonly updates: readonly Uint8Array[]
  /** The only one who wrote all of it; null for several or nobody. */
  readonly author: Subscriber | null
  readonly byteLength: number
}

interface Edit {
  readonly news: News
  readonly from: Subscriber | null
}

/** Edits that wait for the next commit, in the order received. */
export class PendingEdits {
  #edits: Edit[] = []
  #byteLength = 0

  get isEmpty(): boolean {
    return this.#edits.length === 0
  }

  get byteLength(): number {
    return this.#byteLength
  }

  add(news: News, from: Subscriber | null): void {
    this.#edits.push({ news, from })
    this.#byteLength += news.byteLength
  }

  /**
   * Hands over everything.
   * @param maxEntryBytes how much is merged into one log entry, so that each is a frame that a slow link can carry
   */
  drain(maxEntryBytes: number): Batch {
    const updates = inGroups(this.#edits, ({ news }) => news.byteLength, maxEntryBytes).map((group) =>
      encodeNews(group.map(({ news }) => news)),
    )
    const batch = { updates, author: soleAuthor(this.#edits), byteLength: this.#byteLength }
    this.clear()
    return batch
  }

  clear(): void {
    this.#edits = []
    this.#byteLength = 0
  }
}

function soleAuthor(edits: readonly Edit[]): Subscriber | null {
  const author = edits[0]?.from ?? null
  return edits.every(({ from }) => from === author) ? author : null
}
