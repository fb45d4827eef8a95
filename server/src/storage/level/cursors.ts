import type { CursorFailure, CursorOutcome, CursorPlace, CursorStore, PostponedCursor } from '../cursor-store.ts'
import type { LevelContext } from './context.ts'
import type { CursorTable } from './cursor-table.ts'
import { nameKey } from './keys.ts'

export interface CursorsContext extends LevelContext {
  readonly table: CursorTable
}

/** The cursors of a storage: all of them are this server's, since it is the only one. */
export class Cursors implements CursorStore {
  readonly #context: CursorsContext

  constructor(context: CursorsContext) {
    this.#context = context
  }

  async claim(cursor: string, document: string): Promise<CursorPlace | undefined> {
    const { table, documents } = this.#context
    this.#context.assertOpen()
    const place = table.get(cursor, document)
    if (!place) return undefined
    const position = await documents.positionOf(document)
    // Where a damaged log was cut off, its numbers were given anew.
    return place.seq <= (position?.head ?? 0) ? place : { ...place, seq: 0 }
  }

  async advance(cursor: string, document: string, seq: number, incarnation: number): Promise<CursorOutcome> {
    const { table, documents, openings, gate } = this.#context
    this.#context.assertOpen()
    return gate.run(async () => {
      const before = table.get(cursor, document)
      const position = await documents.locate(document)
      if (!before || before.deletedAt !== undefined || !position || seq > position.head) return 'lost'
      if (incarnation !== openings.incarnationOf(position.incarnation)) return 'lost'
      if (seq < position.head) await table.move({ cursor, document, seq })
      else await table.end(cursor, document)
      return seq < position.head ? 'behind' : 'told'
    })
  }

  async toldDeletion(cursor: string, document: string, deletedAt: number): Promise<CursorOutcome> {
    const { table, gate } = this.#context
    this.#context.assertOpen()
    return gate.run(async () => {
      if (table.get(cursor, document)?.deletedAt !== deletedAt) return 'lost'
      return (await table.endDeletion(cursor, document)) ? 'behind' : 'told'
    })
  }

  async postpone(cursor: string, document: string, failure: CursorFailure, deletedAt?: number): Promise<boolean> {
    const { table, gate } = this.#context
    this.#context.assertOpen()
    return gate.run(async () => {
      const place = table.get(cursor, document)
      if (!place || place.deletedAt !== deletedAt) return false
      await table.postpone(cursor, document, failure)
      return true
    })
  }

  async untold(cursor: string, limit: number): Promise<readonly string[]> {
    const { table, clock } = this.#context
    this.#context.assertOpen()
    return table.due(cursor, clock.now(), limit)
  }

  async listPostponed(cursor: string, after: string | undefined, limit: number): Promise<readonly PostponedCursor[]> {
    this.#context.assertOpen()
    const postponed = this.#context.table.postponed(cursor)
    const from = after === undefined ? undefined : nameKey(after)
    return postponed
      .map((found) => ({ ...found, key: nameKey(found.document) }))
      .filter(({ key }) => from === undefined || Buffer.compare(key, from) > 0)
      .sort((a, b) => Buffer.compare(a.key, b.key))
      .slice(0, limit)
      .map(({ key, ...found }) => found)
  }

  async retry(cursor: string, document?: string): Promise<void> {
    const { table, gate } = this.#context
    this.#context.assertOpen()
    await gate.run(async () => {
      for (const { document: name } of table.postponed(cursor)) {
        if (document === undefined || document === name) await table.postpone(cursor, name, undefined)
      }
    })
  }
}
