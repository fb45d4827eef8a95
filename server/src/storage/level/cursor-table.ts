import type { Log } from '../../common/log.ts'
import type { CursorFailure, CursorPlace, PostponedCursor } from '../cursor-store.ts'
import { MAX_REASON_LENGTH } from '../limits.ts'
import { isDue } from '../webhook-cursor.ts'
import type { Database, Operation } from './database.ts'
import { CURSORS, cursorKey, cursorOf, NOTES, noteKey } from './keys.ts'
import { removeKey } from './operations.ts'
import { readRange } from './read-range.ts'
import { decodeBytes, decodeNumber, encodeBytes, encodeNumber } from './records.ts'

/** Where a cursor stands. */
export interface Place {
  readonly cursor: string
  readonly document: string
  readonly seq: number
}

/** Which cursors tell of a deletion, and when that was. */
export interface Farewell {
  readonly cursors: readonly string[]
  /** Milliseconds of the epoch. */
  readonly time: number
}

/** What is known of a cursor beside its number. */
interface Note {
  readonly deletedAt?: number
  readonly failure?: CursorFailure
}

interface Known {
  /** Undefined where nothing was written since the document was deleted. */
  seq: number | undefined
  note: Note
}

const NO_NOTE: Note = {}

/** The cursors in a database, all of which are in memory: they are there only while something is to be told. */
export class CursorTable {
  readonly #database: Database
  readonly #log: Log
  /** By the name of the cursor, then by document. */
  readonly #known = new Map<string, Map<string, Known>>()

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
      this.#of(cursor).set(document, { seq: seq ?? 0, note: NO_NOTE })
    }
    for (const record of await this.#database.read((level) => readRange(level, NOTES))) {
      const { cursor, document } = cursorOf(record.key)
      const bytes = decodeBytes(record)
      const known = this.#of(cursor).get(document)
      if (bytes) this.#of(cursor).set(document, { seq: known?.seq, note: decodeNote(bytes) })
      else this.#log.error({ cursor, document }, 'what was noted of a cursor was damaged: it is told at once')
    }
  }

  get names(): readonly string[] {
    return [...this.#known.keys()]
  }

  get(cursor: string, document: string): CursorPlace | undefined {
    const known = this.#known.get(cursor)?.get(document)
    if (!known) return undefined
    const { seq, note } = known
    return { ...note, seq: note.deletedAt === undefined ? (seq ?? 0) : 0 }
  }

  /** Documents of which somebody may be told now. */
  due(cursor: string, now: number, limit: number): readonly string[] {
    const due: string[] = []
    for (const [document, { note }] of this.#known.get(cursor) ?? []) {
      if (due.length === limit) break
      if (isDue(note.failure, now)) due.push(document)
    }
    return due
  }

  postponed(cursor: string): readonly PostponedCursor[] {
    return [...(this.#known.get(cursor) ?? [])].flatMap(([document, { note }]) =>
      note.failure ? [{ document, ...note.failure }] : [],
    )
  }

  /** Those that are not there, to begin at a number. */
  missing(cursors: readonly string[], document: string, seq: number): Place[] {
    const missing = cursors.filter((cursor) => this.#known.get(cursor)?.get(document)?.seq === undefined)
    return missing.map((cursor) => ({ cursor, document, seq }))
  }

  /** Takes over what was written by `putCursor`. */
  wrote(places: readonly Place[]): void {
    for (const { cursor, document, seq } of places) this.#change(cursor, document, { seq })
  }

  /** Moves one. Within the gate. What a power cut undoes of that is told again. */
  async move(place: Place): Promise<void> {
    const { cursor, document, seq } = place
    await this.#database.write([putCursor(place), ...this.#withoutNote(cursor, document)], false)
    this.#change(cursor, document, { seq, note: NO_NOTE })
  }

  /** Removes one. Within the gate. What a power cut undoes of that is told again. */
  async end(cursor: string, document: string): Promise<void> {
    const removals = [removeKey(cursorKey(cursor, document)), ...this.#withoutNote(cursor, document)]
    await this.#database.write(removals, false)
    this.#known.get(cursor)?.delete(document)
  }

  /** Notes what was told of a deletion. Within the gate. Resolves whether something is left to be told. */
  async endDeletion(cursor: string, document: string): Promise<boolean> {
    await this.#database.write(this.#withoutNote(cursor, document), false)
    const { seq } = this.#known.get(cursor)?.get(document) ?? {}
    if (seq === undefined) this.#known.get(cursor)?.delete(document)
    else this.#change(cursor, document, { note: NO_NOTE })
    return seq !== undefined
  }

  /** Notes why one was not told; undefined for nothing. Within the gate. */
  async postpone(cursor: string, document: string, failure: CursorFailure | undefined): Promise<void> {
    const { deletedAt } = this.get(cursor, document) ?? {}
    const reason = failure?.reason.slice(0, MAX_REASON_LENGTH)
    const note = {
      ...(deletedAt !== undefined && { deletedAt }),
      ...(failure && reason !== undefined && { failure: { ...failure, reason } }),
    }
    const isEmpty = Object.keys(note).length === 0
    await this.#database.write(isEmpty ? this.#withoutNote(cursor, document) : [putNote(cursor, document, note)], false)
    this.#change(cursor, document, { note })
  }

  /**
   * Gives what removes those of a document, and makes those that tell of its deletion; `removed` is to be called behind
   * it.
   */
  removing(document: string, deletion?: Farewell): Operation[] {
    const removals = [...this.#known].flatMap(([cursor, documents]) =>
      documents.has(document) ? [removeKey(cursorKey(cursor, document)), removeKey(noteKey(cursor, document))] : [],
    )
    if (!deletion) return removals
    const { cursors, time: deletedAt } = deletion
    return [...removals, ...this.#telling(document, cursors).map((cursor) => putNote(cursor, document, { deletedAt }))]
  }

  /** Takes over what was written by `removing`. */
  removed(document: string, deletion?: Farewell): void {
    const telling = deletion ? this.#telling(document, deletion.cursors) : []
    for (const documents of this.#known.values()) documents.delete(document)
    const note = { deletedAt: deletion?.time ?? 0 }
    for (const cursor of telling) this.#of(cursor).set(document, { seq: undefined, note })
  }

  /** Removes all of a name. Within the gate. */
  async drop(cursor: string): Promise<void> {
    const removals = [...(this.#known.get(cursor)?.keys() ?? [])].flatMap((document) => [
      removeKey(cursorKey(cursor, document)),
      removeKey(noteKey(cursor, document)),
    ])
    await this.#database.write(removals)
    this.#known.delete(cursor)
  }

  /** Cursors that tell of a deletion: those that are to, and those that have not told of an earlier one. */
  #telling(document: string, cursors: readonly string[]): readonly string[] {
    const untold = [...this.#known].filter(([, documents]) => documents.get(document)?.note.deletedAt !== undefined)
    return [...new Set([...cursors, ...untold.map(([cursor]) => cursor)])]
  }

  #withoutNote(cursor: string, document: string): Operation[] {
    const { note = NO_NOTE } = this.#known.get(cursor)?.get(document) ?? {}
    return note === NO_NOTE ? [] : [removeKey(noteKey(cursor, document))]
  }

  #change(cursor: string, document: string, change: Partial<Known>): void {
    const documents = this.#of(cursor)
    documents.set(document, { seq: undefined, note: NO_NOTE, ...documents.get(document), ...change })
  }

  #of(cursor: string): Map<string, Known> {
    const documents = this.#known.get(cursor) ?? new Map<string, Known>()
    this.#known.set(cursor, documents)
    return documents
  }
}

export function putCursor({ cursor, document, seq }: Place): Operation {
  const key = cursorKey(cursor, document)
  return { type: 'put', key, value: encodeNumber(key, seq) }
}

function putNote(cursor: string, document: string, note: Note): Operation {
  const key = noteKey(cursor, document)
  return { type: 'put', key, value: encodeBytes(key, Buffer.from(JSON.stringify(note))) }
}

function decodeNote(bytes: Uint8Array): Note {
  return JSON.parse(Buffer.from(bytes).toString())
}
