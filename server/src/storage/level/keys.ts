/**
 * Keys of the LevelDB engine. Numbers are big-endian, so that LevelDB's byte order is the order of numbers. Everything
 * of one document lies in one range, so that one iterator, which is a consistent view, reads all of it.
 *
 * | key | record |
 * | --- | --- |
 * | `00` | version of this format |
 * | `00` `01` | openings whose numbers are kept |
 * | `01` name (UTF-8) | name → document id |
 * | `02` id(4) `01` | metadata |
 * | `02` id(4) `02` seq(6) | entry |
 * | `02` id(4) `03` generation(4) index(4) | snapshot chunk |
 * | `02` id(4) `04` number(4) | quarantined record |
 * | `03` target (UTF-8; none: everything) | revocation |
 * | `04` cursor (UTF-8) `00` name (UTF-8) | number up to which a cursor has come |
 * | `05` name (UTF-8) | that a document was deleted: who wrote it. It is deleted now where it is not in the name table |
 * | `06` id(4) `01` key(32) | that a write with this key was done |
 * | `06` id(4) `02` seq(6) key(32) | nothing: which of them is older |
 * | `07` id(4) `01` place(4) | that a segment of the history is there, and its facts |
 * | `07` id(4) `02` place(4) | its entries |
 * | `07` id(4) `03` place(4) index(4) | chunk of what was before it |
 * | `07` id(4) `04` name (UTF-8) | that a version has this name, and which one it is |
 * | `07` id(4) `05` name (UTF-8) | what the document was |
 * | `08` id (UTF-8) | a webhook |
 * | `09` cursor (UTF-8) `00` name (UTF-8) | what is known of a cursor beside its number |
 */
const NAME = 1
const DOCUMENT = 2
const REVOCATION = 3
const CURSOR = 4
const DELETED = 5
const WRITTEN = 6
const HISTORY = 7
const WEBHOOK = 8
const NOTE = 9

const ID_BYTES = 4
const SEQ_BYTES = 6
const KIND_OFFSET = 1 + ID_BYTES
const NUMBER_OFFSET = KIND_OFFSET + 1

const METADATA = 1
const ENTRY = 2
const CHUNK = 3
const QUARANTINED = 4

const SEGMENT = 1
const SEGMENT_ENTRIES = 2
const SEGMENT_START = 3
const NAMED = 4
const NAMED_CONTENT = 5

const KEYED = 1
const ORDERED = 2

/** Document ids run from 1 to this. */
export const MAX_DOCUMENT_ID = 0xffff_fffe

export const FORMAT_KEY: Uint8Array = Uint8Array.of(0)
export const OPENINGS_KEY: Uint8Array = Uint8Array.of(0, 1)

/** A range of keys as LevelDB's iterators take it. */
export interface KeyRange {
  readonly gte: Uint8Array
  readonly lt: Uint8Array
}

export type DocumentKey =
  | { readonly kind: 'metadata' }
  | { readonly kind: 'entry'; readonly seq: number }
  | { readonly kind: 'chunk'; readonly generation: number; readonly index: number }
  | { readonly kind: 'quarantined'; readonly id: number }

export function nameKey(name: string): Uint8Array {
  return Buffer.concat([Uint8Array.of(NAME), Buffer.from(name)])
}

export function nameOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset + 1, key.length - 1).toString()
}

/** The records of all names with a prefix. */
export function nameRange(prefix: string): KeyRange {
  const lt = nameKey(prefix)
  lt[lt.length - 1] = (lt.at(-1) ?? NAME) + 1 // neither the kind nor a byte of UTF-8 is ever 255
  return { gte: nameKey(prefix), lt }
}

/** All records of all documents. */
export const DOCUMENTS: KeyRange = { gte: Uint8Array.of(DOCUMENT), lt: Uint8Array.of(DOCUMENT + 1) }

/** The document that a key of the range DOCUMENTS belongs to. */
export function documentIdOf(key: Uint8Array): number {
  return asBuffer(key).readUInt32BE(1)
}

/** All records of the documents from `first` to before `end`. Its bounds are not the keys of records. */
export function documentsRange(first: number, end: number): KeyRange {
  return { gte: documentKey(first, 0), lt: documentKey(end, 0) }
}

/** All records of a document. */
export function documentRange(id: number): KeyRange {
  return documentsRange(id, id + 1)
}

/** Metadata and entries of a document, without its snapshot. */
export function logRange(id: number): KeyRange {
  return { gte: documentKey(id, METADATA), lt: documentKey(id, ENTRY + 1) }
}

export function entryRange(id: number): KeyRange {
  return { gte: documentKey(id, ENTRY), lt: documentKey(id, ENTRY + 1) }
}

export function metadataKey(id: number): Uint8Array {
  return documentKey(id, METADATA)
}

export function entryKey(id: number, seq: number): Uint8Array {
  const key = documentKey(id, ENTRY, SEQ_BYTES)
  key.writeUIntBE(seq, NUMBER_OFFSET, SEQ_BYTES)
  return key
}

export function chunkKey(id: number, generation: number, index: number): Uint8Array {
  const key = documentKey(id, CHUNK, 8)
  key.writeUInt32BE(generation, NUMBER_OFFSET)
  key.writeUInt32BE(index, NUMBER_OFFSET + 4)
  return key
}

export function quarantineKey(id: number, quarantineId: number): Uint8Array {
  const key = documentKey(id, QUARANTINED, 4)
  key.writeUInt32BE(quarantineId, NUMBER_OFFSET)
  return key
}

/** All revocations. */
export const REVOCATIONS: KeyRange = { gte: Uint8Array.of(REVOCATION), lt: Uint8Array.of(REVOCATION + 1) }

export function revocationKey(target: string | null): Uint8Array {
  return Buffer.concat([Uint8Array.of(REVOCATION), Buffer.from(target ?? '')])
}

/** What a key of the range REVOCATIONS is about. */
export function targetOf(key: Uint8Array): string | null {
  return key.length === 1 ? null : asBuffer(key).toString('utf8', 1)
}

/** All cursors. */
export const CURSORS: KeyRange = { gte: Uint8Array.of(CURSOR), lt: Uint8Array.of(CURSOR + 1) }

/** A cursor has no character of the code 0 in its name. */
export function cursorKey(cursor: string, document: string): Uint8Array {
  return keyOfCursor(CURSOR, cursor, document)
}

/** What is known of cursors beside their numbers. */
export const NOTES: KeyRange = { gte: Uint8Array.of(NOTE), lt: Uint8Array.of(NOTE + 1) }

export function noteKey(cursor: string, document: string): Uint8Array {
  return keyOfCursor(NOTE, cursor, document)
}

function keyOfCursor(kind: number, cursor: string, document: string): Uint8Array {
  return Buffer.concat([Uint8Array.of(kind), Buffer.from(cursor), Uint8Array.of(0), Buffer.from(document)])
}

/** What a key of the ranges CURSORS and NOTES is about. */
export function cursorOf(key: Uint8Array): { readonly cursor: string; readonly document: string } {
  const text = asBuffer(key)
  const end = text.indexOf(0)
  return { cursor: text.toString('utf8', 1, end), document: text.toString('utf8', end + 1) }
}

/** All webhooks. */
export const WEBHOOKS: KeyRange = { gte: Uint8Array.of(WEBHOOK), lt: Uint8Array.of(WEBHOOK + 1) }

/** `nameOf` gives the id. */
export function webhookKey(id: string): Uint8Array {
  return Buffer.concat([Uint8Array.of(WEBHOOK), Buffer.from(id)])
}

/** All documents that were deleted. */
export const DELETIONS: KeyRange = { gte: Uint8Array.of(DELETED), lt: Uint8Array.of(DELETED + 1) }

/** `nameOf` gives the name. */
export function deletionKey(document: string): Uint8Array {
  return Buffer.concat([Uint8Array.of(DELETED), Buffer.from(document)])
}

/** All that is kept of the keys of a document's writes. */
export function writeKeyRange(id: number): KeyRange {
  return { gte: writtenKey(id, 0), lt: writtenKey(id + 1, 0) }
}

export function writeKeyKey(id: number, key: Uint8Array): Uint8Array {
  return Buffer.concat([writtenKey(id, KEYED), key])
}

/** The same keys in the order of the log. */
export function writeOrderRange(id: number): KeyRange {
  return { gte: writtenKey(id, ORDERED), lt: writtenKey(id, ORDERED + 1) }
}

export function writeOrderKey(id: number, seq: number, key: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(SEQ_BYTES)
  bytes.writeUIntBE(seq, 0, SEQ_BYTES)
  return Buffer.concat([writtenKey(id, ORDERED), bytes, key])
}

/** The key in one of the range in order. */
export function orderedKeyOf(key: Uint8Array): Uint8Array {
  return key.subarray(NUMBER_OFFSET + SEQ_BYTES)
}

function writtenKey(id: number, kind: number): Buffer {
  return besideKey(WRITTEN, id, kind)
}

/** The history of all documents. */
export const HISTORIES: KeyRange = { gte: Uint8Array.of(HISTORY), lt: Uint8Array.of(HISTORY + 1) }

/** All of the history of the documents from `first` to before `end`. */
export function historiesRange(first: number, end: number): KeyRange {
  return { gte: besideKey(HISTORY, first, 0), lt: besideKey(HISTORY, end, 0) }
}

/** All of the history of a document. */
export function historyRange(id: number): KeyRange {
  return historiesRange(id, id + 1)
}

/** The facts of its segments, before a place. */
export function segmentRange(id: number, before?: number): KeyRange {
  const gte = besideKey(HISTORY, id, SEGMENT)
  return { gte, lt: before === undefined ? besideKey(HISTORY, id, SEGMENT + 1) : segmentKey(id, before) }
}

/** The entries of its segments from one place on, and those of the starts. */
export function segmentPartRanges(id: number, from: number): readonly KeyRange[] {
  return [
    { gte: segmentEntriesKey(id, from), lt: besideKey(HISTORY, id, SEGMENT_ENTRIES + 1) },
    { gte: startKey(id, from), lt: besideKey(HISTORY, id, SEGMENT_START + 1) },
  ]
}

export function segmentKey(id: number, place: number): Uint8Array {
  return placeKey(id, SEGMENT, place)
}

export function segmentEntriesKey(id: number, place: number): Uint8Array {
  return placeKey(id, SEGMENT_ENTRIES, place)
}

/** What begins the keys of the chunks at a place. */
export function startKey(id: number, place: number): Uint8Array {
  return placeKey(id, SEGMENT_START, place)
}

export function startChunkKey(id: number, place: number, index: number): Uint8Array {
  const key = Buffer.alloc(4)
  key.writeUInt32BE(index)
  return Buffer.concat([startKey(id, place), key])
}

/** Which versions of a document have names. */
export function namedRange(id: number): KeyRange {
  return { gte: besideKey(HISTORY, id, NAMED), lt: besideKey(HISTORY, id, NAMED + 1) }
}

export function namedKey(id: number, name: string): Uint8Array {
  return Buffer.concat([besideKey(HISTORY, id, NAMED), Buffer.from(name)])
}

export function namedContentKey(id: number, name: string): Uint8Array {
  return Buffer.concat([besideKey(HISTORY, id, NAMED_CONTENT), Buffer.from(name)])
}

/** The name in a key of the range of names. */
export function nameOfVersion(key: Uint8Array): string {
  return asBuffer(key).toString('utf8', NUMBER_OFFSET)
}

/** The place in a key of a history, whatever its kind. */
export function placeOf(key: Uint8Array): number {
  return asBuffer(key).readUInt32BE(NUMBER_OFFSET)
}

function placeKey(id: number, kind: number, place: number): Buffer {
  const number = Buffer.alloc(4)
  number.writeUInt32BE(place)
  return Buffer.concat([besideKey(HISTORY, id, kind), number])
}

/** What begins a key of a document outside of its range. */
function besideKey(room: number, id: number, kind: number): Buffer {
  const key = Buffer.alloc(NUMBER_OFFSET)
  key[0] = room
  key.writeUInt32BE(id, 1)
  key[KIND_OFFSET] = kind
  return key
}

/** What a key of a document's range names; undefined for one that this format does not have, which is damage. */
export function parseDocumentKey(bytes: Uint8Array): DocumentKey | undefined {
  const key = asBuffer(bytes)
  const numberBytes = key.length - NUMBER_OFFSET
  switch (key[KIND_OFFSET]) {
    case METADATA:
      return numberBytes === 0 ? { kind: 'metadata' } : undefined
    case ENTRY:
      if (numberBytes !== SEQ_BYTES) return undefined
      return { kind: 'entry', seq: key.readUIntBE(NUMBER_OFFSET, SEQ_BYTES) }
    case CHUNK:
      if (numberBytes !== 8) return undefined
      return {
        kind: 'chunk',
        generation: key.readUInt32BE(NUMBER_OFFSET),
        index: key.readUInt32BE(NUMBER_OFFSET + 4),
      }
    case QUARANTINED:
      return numberBytes === 4 ? { kind: 'quarantined', id: key.readUInt32BE(NUMBER_OFFSET) } : undefined
    default:
      return undefined
  }
}

function documentKey(id: number, kind: number, numberBytes = 0): Buffer {
  const key = Buffer.allocUnsafe(NUMBER_OFFSET + numberBytes)
  key[0] = DOCUMENT
  key.writeUInt32BE(id, 1)
  key[KIND_OFFSET] = kind
  return key
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
}
