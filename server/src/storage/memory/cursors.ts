import type { CursorFailure, CursorOutcome, CursorPlace, CursorStore, PostponedCursor } from '../cursor-store.ts'
import { MAX_REASON_LENGTH } from '../limits.ts'
import { lastStanding } from '../lineage.ts'
import { isDue } from '../webhook-cursor.ts'
import type { MemoryAccess } from './access.ts'
import { inByteOrder, type MemoryCursor, NOTHING } from './database.ts'

/** The cursors in a database, of which this server holds some. */
export class MemoryCursors implements CursorStore {
  readonly #access: MemoryAccess

  constructor(access: MemoryAccess) {
    this.#access = access
  }

  claim(cursor: string, document: string): Promise<CursorPlace | undefined> {
    return this.#access.run(() => {
      const found = this.#access.database.cursors.get(cursor)?.get(document)
      if (!found || !this.#mayTake(found)) return undefined
      found.holder = this.#access
      const { seq, deletedAt, failure } = found
      if (deletedAt !== undefined) return { seq: 0, deletedAt, ...(failure && { failure }) }
      return { seq: seq ?? 0, ...(failure && { failure }) }
    })
  }

  advance(cursor: string, document: string, seq: number, incarnation: number): Promise<CursorOutcome> {
    return this.#access.run(() => {
      const stored = this.#access.database.documents.get(document) ?? NOTHING
      const ofCursor = this.#access.database.cursors.get(cursor)
      const found = ofCursor?.get(document)
      if (found?.holder !== this.#access || found.deletedAt !== undefined || seq < (found.seq ?? 0)) return 'lost'
      if (seq > Math.min(stored.head, lastStanding(incarnation, stored))) return 'lost'
      found.seq = seq
      found.failure = undefined
      if (seq < stored.head) return 'behind'
      ofCursor?.delete(document)
      return 'told'
    })
  }

  untold(cursor: string, limit: number): Promise<readonly string[]> {
    return this.#access.run(() => {
      const now = this.#access.clock.now()
      const free = [...(this.#access.database.cursors.get(cursor) ?? [])].filter(
        ([, found]) => this.#mayTake(found) && isDue(found.failure, now),
      )
      const [own, others] = [true, false].map((isOwn) =>
        free.filter(([, { holder }]) => (holder === this.#access) === isOwn),
      )
      return [...(others ?? []), ...(own ?? [])].map(([document]) => document).slice(0, limit)
    })
  }

  toldDeletion(cursor: string, document: string, deletedAt: number): Promise<CursorOutcome> {
    return this.#access.run(() => {
      const ofCursor = this.#access.database.cursors.get(cursor)
      const found = ofCursor?.get(document)
      if (found?.holder !== this.#access || found.deletedAt !== deletedAt) return 'lost'
      found.deletedAt = undefined
      found.failure = undefined
      if (found.seq !== undefined) return 'behind'
      ofCursor?.delete(document)
      return 'told'
    })
  }

  postpone(cursor: string, document: string, failure: CursorFailure, deletedAt?: number): Promise<boolean> {
    return this.#access.run(() => {
      const found = this.#access.database.cursors.get(cursor)?.get(document)
      if (found?.holder !== this.#access || found.deletedAt !== deletedAt) return false
      found.failure = { ...failure, reason: failure.reason.slice(0, MAX_REASON_LENGTH) }
      return true
    })
  }

  listPostponed(cursor: string, after: string | undefined, limit: number): Promise<readonly PostponedCursor[]> {
    return this.#access.run(() =>
      [...(this.#access.database.cursors.get(cursor) ?? [])]
        .flatMap(([document, { failure }]) => (failure ? [{ document, ...failure }] : []))
        .filter(({ document }) => after === undefined || inByteOrder(document, after) > 0)
        .sort((a, b) => inByteOrder(a.document, b.document))
        .slice(0, limit),
    )
  }

  retry(cursor: string, document?: string): Promise<void> {
    return this.#access.run(() => {
      for (const [name, found] of this.#access.database.cursors.get(cursor) ?? []) {
        if (document === undefined || name === document) found.failure = undefined
      }
    })
  }

  /** Begins those that are not there. To be called within a step, as what follows. */
  begin(cursors: readonly string[], document: string, seq: number): void {
    for (const cursor of cursors) {
      const ofCursor = this.#of(cursor)
      const found = ofCursor.get(document)
      if (found) found.seq ??= seq
      else ofCursor.set(document, { seq, deletedAt: undefined, failure: undefined, holder: this.#access })
    }
  }

  /** The document was deleted: these tell of it, and those that have not told of an earlier deletion. */
  deleted(document: string, cursors: readonly string[]): void {
    const { database, clock } = this.#access
    const before = new Map([...database.cursors].map(([cursor, documents]) => [cursor, documents.get(document)]))
    const untold = [...before.keys()].filter((cursor) => before.get(cursor)?.deletedAt !== undefined)
    this.forget(document)
    for (const cursor of new Set([...cursors, ...untold])) {
      const { holder = this.#access } = before.get(cursor) ?? {}
      this.#of(cursor).set(document, { seq: undefined, deletedAt: clock.now(), failure: undefined, holder })
    }
  }

  /** Removes those of a document. */
  forget(document: string): void {
    for (const cursors of this.#access.database.cursors.values()) cursors.delete(document)
  }

  #of(cursor: string): Map<string, MemoryCursor> {
    const { cursors } = this.#access.database
    const ofCursor = cursors.get(cursor) ?? new Map<string, MemoryCursor>()
    cursors.set(cursor, ofCursor)
    return ofCursor
  }

  #mayTake({ holder }: MemoryCursor): boolean {
    return holder === this.#access || !holder.isOpen
  }
}
