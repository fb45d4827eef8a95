import type { DeletedDocument, DocumentFacts } from '../catalog.ts'
import type { Deletion } from '../document-store.ts'
import { deletionOf } from '../log-part.ts'
import type { RawLevel } from './database.ts'
import {
  DELETIONS,
  DOCUMENTS,
  deletionKey,
  documentIdOf,
  documentRange,
  entryRange,
  type KeyRange,
  logRange,
  metadataKey,
  nameKey,
  nameOf,
  parseDocumentKey,
} from './keys.ts'
import { type DocumentRecords, type Layout, layOut, sortRecords } from './layout.ts'
import { readLast, readRange } from './read-range.ts'
import { decodeBytes, decodeEntry, decodeMetadata, decodeNumber, type Metadata, type RawRecord } from './records.ts'

/** A document's place and what its next entry needs. */
export interface Position {
  readonly id: number
  readonly incarnation: number
  readonly head: number
}

export interface Removable {
  readonly keys: readonly Uint8Array[]
  readonly bytes: number
}

/** The id in the name table. */
export async function readId(level: RawLevel, name: string): Promise<number | 'absent' | 'damaged'> {
  const key = nameKey(name)
  const value = await level.get(key)
  return value === undefined ? 'absent' : (decodeNumber({ key, value }) ?? 'damaged')
}

/** Who wrote a document that was deleted, nobody where that is damaged; undefined where it never was. */
export async function readFormerClients(level: RawLevel, name: string): Promise<Uint8Array | undefined> {
  const key = deletionKey(name)
  const value = await level.get(key)
  return value && (decodeBytes({ key, value }) ?? new Uint8Array())
}

/** What of a document says that it was deleted. */
export async function readDeletion(level: RawLevel, name: string, isThere: boolean): Promise<Deletion> {
  return deletionOf(await readFormerClients(level, name), isThere)
}

/** The documents after a name that are deleted now. */
export async function readDeleted(
  level: RawLevel,
  after: string | undefined,
  limit: number,
): Promise<DeletedDocument[]> {
  const deleted: DeletedDocument[] = []
  const from = after === undefined ? { gte: DELETIONS.gte } : { gt: deletionKey(after) }
  for await (const [key, value] of level.iterator({ ...from, lt: DELETIONS.lt })) {
    if (deleted.length === limit) break
    const document = nameOf(key)
    if ((await readId(level, document)) !== 'absent') continue
    deleted.push({ document, formerClients: decodeBytes({ key, value }) ?? new Uint8Array() })
  }
  return deleted
}

/** The id of the document whose metadata has this name: a look at every document, for a damaged name table only. */
export async function searchId(level: RawLevel, name: string): Promise<number | undefined> {
  for await (const record of firstRecords(level)) {
    if (decodeMetadata(record)?.name === name) return documentIdOf(record.key)
  }
  return undefined
}

/** The first record of each document, which is its metadata unless that is missing. */
export async function* firstRecords(level: RawLevel): AsyncGenerator<RawRecord, void, undefined> {
  const iterator = level.iterator({ ...DOCUMENTS })
  try {
    for (let next = await iterator.next(); next; next = await iterator.next()) {
      const [key, value] = next
      yield { key, value }
      iterator.seek(documentRange(documentIdOf(key)).lt)
    }
  } finally {
    await iterator.close()
  }
}

/** The highest id under which there is a record; 0 where there is none. Rejects where it cannot be read. */
export async function readLastId(level: RawLevel): Promise<number> {
  const last = await readLast(level, DOCUMENTS)
  return last ? documentIdOf(last.key) : 0
}

export async function readMetadata(level: RawLevel, id: number): Promise<Metadata | undefined> {
  const key = metadataKey(id)
  const value = await level.get(key)
  return value && decodeMetadata({ key, value })
}

/** Undefined where the records it is derived from are damaged or missing. */
export async function readPosition(level: RawLevel, name: string): Promise<Position | undefined> {
  const id = await readId(level, name)
  if (typeof id === 'string') return undefined
  const metadata = await readMetadata(level, id)
  if (metadata?.name !== name) return undefined
  const last = await readLast(level, entryRange(id))
  if (!last) return { id, incarnation: metadata.incarnation, head: metadata.snapshotSeq }
  const key = parseDocumentKey(last.key)
  if (key?.kind !== 'entry' || !decodeEntry(last)) return undefined
  return { id, incarnation: metadata.incarnation, head: Math.max(key.seq, metadata.snapshotSeq) }
}

/** Undefined where nothing is stored under this id, or what is stored is another document. */
export async function readLayout(level: RawLevel, id: number, name: string, now: number): Promise<Layout | undefined> {
  const records = await readRange(level, documentRange(id))
  if (records.length === 0) return undefined
  const layout = layOut(sortRecords(records), name, now)
  return layout.metadata.name === name ? layout : undefined
}

/** The metadata and the entries, without reading the snapshot. */
export async function readLog(level: RawLevel, id: number): Promise<DocumentRecords> {
  return sortRecords(await readRange(level, logRange(id)))
}

/** Undefined where there is no such document. */
export async function readFacts(level: RawLevel, name: string): Promise<DocumentFacts | 'damaged' | undefined> {
  const id = await readId(level, name)
  if (id === 'absent') return undefined
  if (id === 'damaged') return 'damaged'
  const { metadata, entries, damaged } = await readLog(level, id)
  if (!metadata || damaged.length > 0) return 'damaged'
  if (metadata.name !== name) return undefined
  return {
    createdAt: metadata.createdAt,
    updatedAt: entries.at(-1)?.time ?? metadata.updatedAt,
    head: entries.at(-1)?.seq ?? metadata.snapshotSeq,
    snapshotBytes: metadata.snapshotBytes,
    tailEntries: entries.length,
    tailBytes: entries.reduce((sum, entry) => sum + entry.update.length, 0),
  }
}

/** What an interrupted compaction left: nothing of the document. */
export async function readLeftovers(level: RawLevel, id: number, metadata: Metadata): Promise<Removable> {
  return readKeys(level, documentRange(id), (bytes) => {
    const key = parseDocumentKey(bytes)
    if (key?.kind === 'entry') return key.seq <= metadata.snapshotSeq
    return key?.kind === 'chunk' && key.generation !== metadata.generation
  })
}

/** Everything under an id. */
export async function readAll(level: RawLevel, id: number): Promise<Removable> {
  return readKeys(level, documentRange(id), () => true)
}

async function readKeys(level: RawLevel, range: KeyRange, isWanted: (key: Uint8Array) => boolean): Promise<Removable> {
  const keys: Uint8Array[] = []
  for await (const key of level.keys({ ...range })) if (isWanted(key)) keys.push(key)
  return { keys, bytes: await level.approximateSize(range.gte, range.lt) }
}
