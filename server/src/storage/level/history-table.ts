import type { Serial } from '../../common/serial.ts'
import type {
  DatedDocument,
  DatedEntry,
  HistoryStore,
  NamedVersion,
  NamingOutcome,
  NewNamedVersion,
  Segment,
  WholeSegment,
} from '../history-store.ts'
import { deflate } from '../segments.ts'
import type { LevelContext } from './context.ts'
import type { RawLevel } from './database.ts'
import {
  dated,
  prepareSegment,
  readDocumentsWithHistory,
  readEntries,
  readExpired,
  readSegments,
  readStart,
} from './history.ts'
import { readDeletion } from './lookup.ts'
import { putNamedVersion, readNamedVersion, readNamedVersions, removalOfNamed } from './named-versions.ts'
import { removeKey } from './operations.ts'
import type { Reclaimer } from './reclaimer.ts'
import { NOTHING, toStored } from './stored.ts'

export interface HistoryTableContext extends LevelContext {
  readonly reclaimer: Reclaimer
  /** Compactions, and what must not happen within one. */
  readonly maintenance: Serial
}

/** What documents in a database were. */
export class HistoryTable implements HistoryStore {
  readonly #context: HistoryTableContext

  constructor(context: HistoryTableContext) {
    this.#context = context
  }

  async loadDated(document: string): Promise<DatedDocument> {
    const { database, documents, openings } = this.#context
    this.#context.assertOpen()
    const found = await documents.find(document)
    const deletion = await database.read((level) => readDeletion(level, document, found !== undefined))
    if (!found) return { ...NOTHING, ...deletion, tail: [] }
    return { ...toStored(found, openings), ...deletion, tail: found.tail.map(dated) }
  }

  async listSegments(document: string, place: number | undefined, limit: number): Promise<readonly Segment[]> {
    return this.#read(document, (level, id) => readSegments(level, id, place, limit), [])
  }

  async readSegment(document: string, place: number): Promise<readonly DatedEntry[] | undefined> {
    return this.#read(document, (level, id) => readEntries(level, id, place), undefined)
  }

  async readStart(document: string, place: number): Promise<readonly Uint8Array[] | undefined> {
    return this.#read(document, (level, id) => readStart(level, id, place), undefined)
  }

  async storeSegment(document: string, segment: WholeSegment): Promise<void> {
    const { database, documents, gate, maintenance } = this.#context
    this.#context.assertOpen()
    await maintenance.run(async () => {
      const position = await documents.positionOf(document)
      const prepared = position && (await database.read((level) => prepareSegment(level, position.id, segment)))
      this.#context.assertOpen()
      if (prepared) await gate.run(() => database.write([...prepared.parts, ...prepared.facts]))
    })
  }

  async expireHistory(time: number): Promise<void> {
    const { database, gate, maintenance, reclaimer } = this.#context
    this.#context.assertOpen()
    for (const id of await database.read(readDocumentsWithHistory)) {
      await maintenance.run(async () => {
        const expired = await database.read((level) => readExpired(level, id, time))
        this.#context.assertOpen()
        if (!expired) return
        await gate.run(() => database.write(expired.keys.map(removeKey)))
        reclaimer.removed(expired.bytes)
      })
    }
  }

  async nameVersion(document: string, version: NewNamedVersion): Promise<NamingOutcome> {
    const { database, documents, openings, gate } = this.#context
    this.#context.assertOpen()
    const content = await deflate(version.update)
    return gate.run(async () => {
      const position = await documents.locate(document)
      if (!position || version.incarnation !== openings.incarnationOf(position.incarnation)) return 'missing'
      const operations = await database.read((level) => putNamedVersion(level, position.id, version, content))
      if (typeof operations === 'string') return operations
      await database.write(operations)
      return 'named'
    })
  }

  async listNamedVersions(document: string): Promise<readonly NamedVersion[]> {
    return this.#read(document, readNamedVersions, [])
  }

  async readNamedVersion(document: string, name: string): Promise<Uint8Array | undefined> {
    return this.#read(document, (level, id) => readNamedVersion(level, id, name), undefined)
  }

  async removeNamedVersion(document: string, name: string): Promise<boolean> {
    const { database, documents, gate } = this.#context
    this.#context.assertOpen()
    return gate.run(async () => {
      const position = await documents.locate(document)
      if (!position) return false
      const removals = await database.read((level) => removalOfNamed(level, position.id, name))
      if (removals.length > 0) await database.write(removals)
      return removals.length > 0
    })
  }

  /** Resolves with `nothing` where there is no such document. */
  async #read<T>(document: string, read: (level: RawLevel, id: number) => Promise<T>, nothing: T): Promise<T> {
    const { database, documents } = this.#context
    this.#context.assertOpen()
    const position = await documents.positionOf(document)
    return position ? database.read((level) => read(level, position.id)) : nothing
  }
}
