import type { Log } from '../../common/log.ts'
import type { Database, Operation } from './database.ts'
import { CURSORS, cursorKey, cursorOf } from './keys.ts'
import { removeKey } from './operations.ts'
import { readRange } from './read-range.ts'
import { decodeNumber, encodeNumber } from './records.ts'

/** Where a cursor stands. */
export interface Place {
  readonly cursor: string
  readonly document: string
  readonly seq: number
}

/** The cursors in a database, all of which are in memory: they are there only while something is to be told. */
export class CursorTable {
  readonly #database: Database
  readonly #log: Log
  /** By the name of the cursor, then by document. */
  readonly #numbers = new Map<string, Map<string, number>>()

  constructor(database: Database, log: Log) {
    this.#database = database
    this.#log = log
  }

  /** To be called when the database is open. */
  async load(): Promise<void> {
    for (const record of await this.#database.read((level) => readRange(level, CURSORS))) {
      const { cursor, document } = cursorOf(record.key)
      const seq = decodeNumber(record)
      if (seq === undefined) this.#log.error({ cursor, document }, 'a cursor was damaged: all of its document is told')
      this.#set(cursor, document, seq ?? 0)
    }
  }

  get(cursor: string, document: string): number | undefined {
    return this.#numbers.get(cursor)?.get(document)
  }

  documents(cursor: string): readonly string[] {
    return [...(this.#numbers.get(cursor)?.keys() ?? [])]
  }

  /** Those that are not there, to begin at a number. */
  missing(cursors: readonly string[], document: string, seq: number): Place[] {
    const missing = cursors.filter((cursor) => this.get(cursor, document) === undefined)
    return missing.map((cursor) => ({ cursor, document, seq }))
  }

  /** Takes over what was written by `putCursor`. */
  wrote(places: readonly Place[]): void {
    for (const { cursor, document, seq } of places) this.#set(cursor, document, seq)
  }

  /** Moves one. Within the gate. What a power cut undoes of that is told again. */
  async move(place: Place): Promise<void> {
    await this.#database.write([putCursor(place)], false)
    this.wrote([place])
  }

  /** Removes one. Within the gate. What a power cut undoes of that is told again. */
  async end(cursor: string, document: string): Promise<void> {
    await this.#database.write([removeKey(cursorKey(cursor, document))], false)
    this.#numbers.get(cursor)?.delete(document)
  }

  /** Forgets those of a document, and gives what removes them. */
  remove(document: string): Operation[] {
    const cursors = [...this.#numbers].filter(([, documents]) => documents.delete(document))
    return cursors.map(([cursor]) => removeKey(cursorKey(cursor, document)))
  }

  #set(cursor: string, document: string, seq: number): void {
    const documents = this.#numbers.get(cursor) ?? new Map<string, number>()
    this.#numbers.set(cursor, documents.set(document, seq))
  }
}

export function putCursor({ cursor, document, seq }: Place): Operation {
  const key = cursorKey(cursor, document)
  return { type: 'put', key, value: encodeNumber(key, seq) }
}
