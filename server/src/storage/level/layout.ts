import { type DocumentKey, parseDocumentKey } from './keys.ts'
import {
  type ChunkBody,
  decodeChunk,
  decodeEntry,
  decodeMetadata,
  decodeQuarantined,
  type EntryBody,
  type Metadata,
  type RawRecord,
} from './records.ts'

type KeyOf<K extends DocumentKey['kind']> = Extract<DocumentKey, { kind: K }>

export type EntryRecord = RawRecord & KeyOf<'entry'> & EntryBody
export type ChunkRecord = RawRecord & KeyOf<'chunk'> & ChunkBody
export type QuarantinedRecord = RawRecord & KeyOf<'quarantined'> & { readonly update: Uint8Array | undefined }

/** The records of a document by kind, in key order. `damaged` are those whose key or CRC is wrong. */
export interface DocumentRecords {
  readonly metadata: Metadata | undefined
  readonly entries: readonly EntryRecord[]
  readonly chunks: readonly ChunkRecord[]
  readonly quarantined: readonly QuarantinedRecord[]
  readonly damaged: readonly RawRecord[]
}

/** Which of a document's records are the document. */
export interface Layout {
  /** Describes the intact document; not yet what is stored where the layout is not intact. */
  readonly metadata: Metadata
  readonly chunks: readonly ChunkRecord[]
  readonly tail: readonly EntryRecord[]
  readonly quarantined: readonly QuarantinedRecord[]
  /** What an interrupted compaction left: not part of the document, without value. */
  readonly leftovers: readonly RawRecord[]
  /** Intact updates behind a damaged or missing record. */
  readonly cutOff: readonly (EntryRecord | ChunkRecord)[]
  readonly damaged: readonly RawRecord[]
  readonly isIntact: boolean
}

export function sortRecords(records: readonly RawRecord[]): DocumentRecords {
  let metadata: Metadata | undefined
  const entries: EntryRecord[] = []
  const chunks: ChunkRecord[] = []
  const quarantined: QuarantinedRecord[] = []
  const damaged: RawRecord[] = []
  for (const record of records) {
    const key = parseDocumentKey(record.key)
    switch (key?.kind) {
      case 'metadata':
        metadata = decodeMetadata(record)
        if (!metadata) damaged.push(record)
        break
      case 'entry':
        pushIntact(entries, damaged, record, key, decodeEntry(record))
        break
      case 'chunk':
        pushIntact(chunks, damaged, record, key, decodeChunk(record))
        break
      case 'quarantined':
        pushIntact(quarantined, damaged, record, key, decodeQuarantined(record))
        break
      case undefined:
        damaged.push(record)
    }
  }
  return { metadata, entries, chunks, quarantined, damaged }
}

/**
 * Finds the document in its records: the snapshot up to the first chunk that is missing, then, where none is, the
 * entries up to the first one that is missing. `name` and `now` stand in for what damaged metadata would have told.
 */
export function layOut(records: DocumentRecords, name: string, now: number): Layout {
  const stored = records.metadata ?? reconstructMetadata(records, name, now)
  const ofSnapshot = records.chunks.filter((chunk) => chunk.generation === stored.generation)
  const gap = ofSnapshot.findIndex((chunk, position) => chunk.index !== position)
  const chunks = gap === -1 ? ofSnapshot : ofSnapshot.slice(0, gap)
  const isSnapshotWhole = chunks.length === stored.chunkCount
  const metadata = isSnapshotWhole ? stored : shortenSnapshot(stored, chunks)

  const fresh = records.entries.filter((entry) => entry.seq > stored.snapshotSeq)
  const firstGap = fresh.findIndex((entry, position) => entry.seq !== stored.snapshotSeq + 1 + position)
  const wholeTail = firstGap === -1 ? fresh : fresh.slice(0, firstGap)
  const tail = isSnapshotWhole ? wholeTail : []

  const unusedChunks = records.chunks.filter((chunk) => chunk.generation !== stored.generation)
  const unusedEntries = records.entries.filter((entry) => entry.seq <= stored.snapshotSeq)
  const cutOff = [...ofSnapshot.slice(chunks.length), ...fresh.slice(tail.length)]
  const leftovers = [...unusedChunks, ...unusedEntries]
  // Reconstructed metadata is a guess: nothing is without value then.
  if (!records.metadata) cutOff.unshift(...leftovers.splice(0))
  const { quarantined, damaged } = records
  const isIntact = records.metadata !== undefined && isSnapshotWhole && cutOff.length === 0 && damaged.length === 0
  return { metadata, chunks, tail, quarantined, leftovers, cutOff, damaged, isIntact }
}

function pushIntact<K extends DocumentKey, B extends object>(
  intact: (RawRecord & K & B)[],
  damaged: RawRecord[],
  record: RawRecord,
  key: K,
  body: B | undefined,
): void {
  if (body) intact.push({ ...record, ...key, ...body })
  else damaged.push(record)
}

/** The metadata of a document that has neither snapshot nor quarantine. */
export function emptyMetadata(name: string, incarnation: number, now: number): Metadata {
  return {
    name,
    createdAt: now,
    updatedAt: now,
    incarnation,
    generation: 0,
    snapshotSeq: 0,
    chunkCount: 0,
    snapshotBytes: 0,
    stateVector: null,
    deleteSet: null,
    nextQuarantineId: 1,
  }
}

/** The metadata of what is left when chunks of the snapshot are lost. */
function shortenSnapshot(metadata: Metadata, chunks: readonly ChunkRecord[]): Metadata {
  return {
    ...metadata,
    snapshotSeq: chunks.length === 0 ? 0 : metadata.snapshotSeq,
    chunkCount: chunks.length,
    snapshotBytes: chunks.reduce((sum, chunk) => sum + chunk.update.length, 0),
    stateVector: null,
    deleteSet: null,
  }
}

/**
 * Metadata from the other records. Which generation is the snapshot follows from the entries: a compaction deletes
 * those that it took in, in the step that makes its generation the snapshot. So one with a larger number than an entry
 * is not it yet. Of those left (only without entries are there two) a complete one is it.
 */
function reconstructMetadata(records: DocumentRecords, name: string, now: number): Metadata {
  const firstSeq = records.entries[0]?.seq ?? Number.POSITIVE_INFINITY
  const heads = records.chunks.filter((chunk) => chunk.index === 0 && chunk.snapshotSeq < firstSeq)
  const isComplete = (head: ChunkRecord) =>
    records.chunks.filter((chunk) => chunk.generation === head.generation).length === head.chunkCount
  const head = heads.findLast(isComplete) ?? heads.at(-1)
  const ofSnapshot = records.chunks.filter((chunk) => chunk.generation === head?.generation)
  return {
    ...emptyMetadata(name, 0, records.entries[0]?.time ?? now),
    generation: head?.generation ?? 0,
    snapshotSeq: head?.snapshotSeq ?? 0,
    chunkCount: head?.chunkCount ?? 0,
    snapshotBytes: ofSnapshot.reduce((sum, chunk) => sum + chunk.update.length, 0),
    nextQuarantineId: (records.quarantined.at(-1)?.id ?? 0) + 1,
  }
}
