import { crc32 } from 'node:zlib'
import { ByteReader } from '../../protocol/wire/reader.ts'
import { ByteWriter, varUintBytes } from '../../protocol/wire/writer.ts'
import type { NamedVersion } from '../history-store.ts'
import type { SegmentFacts } from '../segments.ts'

/*
 * Values of the LevelDB engine: 4 bytes of CRC, then the body. The CRC covers the key too, so that a record which turns
 * up under another number, or in another document, is known for what it is. LevelDB's own checksums do not do: it does
 * not verify those of its tables on reading, and drops what fails in its log without a word (measured).
 *
 * It is the CRC-32 of zlib, which Node has natively, and not the CRC32C of LevelDB: no dependency, and both find every
 * burst of up to 32 bits and miss one other error in 2^32.
 */
const CRC_BYTES = 4

const TIME_BYTES = 6
const DOUBLE_BYTES = 8
const ENTRY_HEADER = CRC_BYTES + TIME_BYTES

const SEQ_BYTES = 6
const COUNT_BYTES = 4
const CHUNK_HEADER = CRC_BYTES + SEQ_BYTES + COUNT_BYTES

const QUARANTINED_UPDATE = 0
const QUARANTINED_DAMAGED = 1

/** A key and its value as LevelDB holds them. */
export interface RawRecord {
  readonly key: Uint8Array
  readonly value: Uint8Array
}

/** What is known of a document besides its content; written when it is created, compacted or repaired. */
export interface Metadata {
  /** The name table's entry from the other side: tells a stale entry from a good one, and restores a damaged one. */
  readonly name: string
  /** Milliseconds of the epoch. */
  readonly createdAt: number
  /** Time of the last entry that the snapshot took in; later entries carry their own. Milliseconds of the epoch. */
  readonly updatedAt: number
  readonly incarnation: number
  /** Which chunks are the snapshot: those under another generation are what an interrupted compaction left. 0: none. */
  readonly generation: number
  /** 0 for no snapshot. */
  readonly snapshotSeq: number
  readonly chunkCount: number
  readonly snapshotBytes: number
  readonly stateVector: Uint8Array | null
  readonly deleteSet: Uint8Array | null
  readonly nextQuarantineId: number
}

export interface EntryBody {
  /** Milliseconds of the epoch. */
  readonly time: number
  /** Who wrote it, as the storage was told; empty where it was not. */
  readonly authors: Uint8Array
  readonly update: Uint8Array
}

export interface ChunkBody {
  /** Sequence number and number of chunks of the snapshot: what is needed where the metadata is damaged. */
  readonly snapshotSeq: number
  readonly chunkCount: number
  readonly update: Uint8Array
}

/** `update` is undefined for a record that was kept although its CRC fails. */
export interface QuarantinedBody {
  readonly update: Uint8Array | undefined
}

/** Where it is said who wrote an entry, that stands with its length between the time and the update. */
const HAS_AUTHORS = 2 ** 47

const NO_AUTHORS = new Uint8Array()

export function encodeEntry(key: Uint8Array, { time, authors, update }: EntryBody): Uint8Array {
  const length = authors.length > 0 ? varUintBytes(authors.length) + authors.length : 0
  const value = Buffer.allocUnsafe(ENTRY_HEADER + length + update.length)
  value.writeUIntBE(length > 0 ? time + HAS_AUTHORS : time, CRC_BYTES, TIME_BYTES)
  if (length > 0) {
    const body = new ByteWriter(length)
    body.varBytes(authors)
    value.set(body.finish(), ENTRY_HEADER)
  }
  value.set(update, ENTRY_HEADER + length)
  return seal(key, value)
}

export function decodeEntry({ key, value }: RawRecord): EntryBody | undefined {
  const record = unseal(key, value, ENTRY_HEADER)
  if (!record) return undefined
  const time = record.readUIntBE(CRC_BYTES, TIME_BYTES)
  if (time < HAS_AUTHORS) return { time, authors: NO_AUTHORS, update: bytesFrom(record, ENTRY_HEADER) }
  const body = new ByteReader(bytesFrom(record, ENTRY_HEADER), 0, 'STORAGE_DAMAGED')
  const authors = body.varBytes()
  return { time: time - HAS_AUTHORS, authors, update: bytesFrom(record, ENTRY_HEADER + body.position) }
}

export function encodeChunk(key: Uint8Array, { snapshotSeq, chunkCount, update }: ChunkBody): Uint8Array {
  const value = Buffer.allocUnsafe(CHUNK_HEADER + update.length)
  value.writeUIntBE(snapshotSeq, CRC_BYTES, SEQ_BYTES)
  value.writeUInt32BE(chunkCount, CRC_BYTES + SEQ_BYTES)
  value.set(update, CHUNK_HEADER)
  return seal(key, value)
}

export function decodeChunk({ key, value }: RawRecord): ChunkBody | undefined {
  const record = unseal(key, value, CHUNK_HEADER)
  if (!record) return undefined
  return {
    snapshotSeq: record.readUIntBE(CRC_BYTES, SEQ_BYTES),
    chunkCount: record.readUInt32BE(CRC_BYTES + SEQ_BYTES),
    update: bytesFrom(record, CHUNK_HEADER),
  }
}

export function encodeMetadata(key: Uint8Array, metadata: Metadata): Uint8Array {
  return encodeBody(key, (body) => {
    body.text(metadata.name)
    body.varUint(metadata.createdAt)
    body.varUint(metadata.updatedAt)
    body.varUint(metadata.incarnation)
    body.varUint(metadata.generation)
    body.varUint(metadata.snapshotSeq)
    body.varUint(metadata.chunkCount)
    body.varUint(metadata.snapshotBytes)
    writeNullable(body, metadata.stateVector)
    writeNullable(body, metadata.deleteSet)
    body.varUint(metadata.nextQuarantineId)
  })
}

export function decodeMetadata(record: RawRecord): Metadata | undefined {
  return decodeBody(record, (body) => ({
    name: body.text(),
    createdAt: body.varUint(),
    updatedAt: body.varUint(),
    incarnation: body.varUint(),
    generation: body.varUint(),
    snapshotSeq: body.varUint(),
    chunkCount: body.varUint(),
    snapshotBytes: body.varUint(),
    stateVector: readNullable(body),
    deleteSet: readNullable(body),
    nextQuarantineId: body.varUint(),
  }))
}

/** The format version and the ids of the name table. */
export function encodeNumber(key: Uint8Array, number: number): Uint8Array {
  return encodeBody(key, (body) => body.varUint(number))
}

export function decodeNumber(record: RawRecord): number | undefined {
  return decodeBody(record, (body) => body.varUint())
}

/** Who wrote a document that was deleted, and whatever else is bytes alone. */
export function encodeBytes(key: Uint8Array, bytes: Uint8Array): Uint8Array {
  return encodeBody(key, (body) => body.copy(bytes))
}

export function decodeBytes(record: RawRecord): Uint8Array | undefined {
  return decodeBody(record, (body) => body.bytes.subarray(body.position))
}

/** When a write was done, and what was asked for. */
export interface WrittenBody {
  readonly seq: number
  /** Milliseconds of the epoch. */
  readonly time: number
  readonly request: Uint8Array
}

export function encodeWritten(key: Uint8Array, { seq, time, request }: WrittenBody): Uint8Array {
  return encodeBody(key, (body) => {
    body.varUint(seq)
    body.varUint(time)
    body.copy(request)
  })
}

export function decodeWritten(record: RawRecord): WrittenBody | undefined {
  return decodeBody(record, (body) => {
    const [seq, time] = [body.varUint(), body.varUint()]
    return { seq, time, request: body.bytes.subarray(body.position) }
  })
}

export interface SegmentRecord extends SegmentFacts {
  /** Chunks that are kept of what was before it. */
  readonly startChunks: number
}

export function encodeSegmentFacts(key: Uint8Array, facts: SegmentRecord): Uint8Array {
  return encodeBody(key, (body) => {
    body.varUint(facts.first)
    body.varUint(facts.last)
    body.varUint(facts.since)
    body.varUint(facts.until)
    body.varUint(facts.runSince)
    body.varUint(facts.runBytes)
    body.byte(facts.isStart ? 1 : 0)
    body.varUint(facts.startChunks)
  })
}

export function decodeSegmentFacts(record: RawRecord): SegmentRecord | undefined {
  return decodeBody(record, (body) => ({
    first: body.varUint(),
    last: body.varUint(),
    since: body.varUint(),
    until: body.varUint(),
    runSince: body.varUint(),
    runBytes: body.varUint(),
    isStart: body.byte() === 1,
    startChunks: body.varUint(),
  }))
}

type NamedBody = Omit<NamedVersion, 'name'>

export function encodeNamed(key: Uint8Array, { seq, namedAt, authors }: NamedBody): Uint8Array {
  return encodeBody(key, (body) => {
    body.varUint(seq)
    body.varUint(Math.round(namedAt))
    body.copy(authors)
  })
}

export function decodeNamed(record: RawRecord): NamedBody | undefined {
  return decodeBody(record, (body) => {
    const [seq, namedAt] = [body.varUint(), body.varUint()]
    return { seq, namedAt, authors: body.bytes.subarray(body.position) }
  })
}

/** When something was revoked: what it is stands in the key. */
export function encodeTime(key: Uint8Array, time: number): Uint8Array {
  const value = Buffer.allocUnsafe(CRC_BYTES + DOUBLE_BYTES)
  value.writeDoubleBE(time, CRC_BYTES)
  return seal(key, value)
}

export function decodeTime({ key, value }: RawRecord): number | undefined {
  return unseal(key, value, CRC_BYTES + DOUBLE_BYTES)?.readDoubleBE(CRC_BYTES)
}

/** The openings whose numbers are kept. */
export function encodeNumbers(key: Uint8Array, numbers: readonly number[]): Uint8Array {
  return encodeBody(key, (body) => {
    for (const number of numbers) body.varUint(number)
  })
}

export function decodeNumbers(record: RawRecord): readonly number[] | undefined {
  return decodeBody(record, (body) => {
    const numbers: number[] = []
    while (body.remaining > 0) numbers.push(body.varUint())
    return numbers
  })
}

export function encodeQuarantinedUpdate(key: Uint8Array, update: Uint8Array): Uint8Array {
  return encodeBody(key, (body) => {
    body.byte(QUARANTINED_UPDATE)
    body.copy(update)
  })
}

/** Keeps a record whose CRC fails as it was found: people may make sense of it where this program cannot. */
export function encodeQuarantinedDamage(key: Uint8Array, damaged: RawRecord): Uint8Array {
  return encodeBody(key, (body) => {
    body.byte(QUARANTINED_DAMAGED)
    body.varBytes(damaged.key)
    body.copy(damaged.value)
  })
}

export function decodeQuarantined(record: RawRecord): QuarantinedBody | undefined {
  return decodeBody(record, (body) => {
    const isUpdate = body.byte() === QUARANTINED_UPDATE
    return { update: isUpdate ? body.bytes.subarray(body.position) : undefined }
  })
}

function encodeBody(key: Uint8Array, write: (body: ByteWriter) => void): Uint8Array {
  const body = new ByteWriter()
  write(body)
  return seal(key, Buffer.concat([Buffer.alloc(CRC_BYTES), body.finish()]))
}

function decodeBody<T>({ key, value }: RawRecord, read: (body: ByteReader) => T): T | undefined {
  const record = unseal(key, value, CRC_BYTES)
  return record && read(new ByteReader(bytesFrom(record, CRC_BYTES), 0, 'STORAGE_DAMAGED'))
}

// Neither a state vector nor a delete set is ever empty: both begin with a count.
function writeNullable(body: ByteWriter, bytes: Uint8Array | null): void {
  body.varBytes(bytes ?? new Uint8Array())
}

function readNullable(body: ByteReader): Uint8Array | null {
  const bytes = body.varBytes()
  return bytes.length === 0 ? null : bytes
}

function seal(key: Uint8Array, value: Buffer): Buffer {
  value.writeUInt32BE(crc32(value.subarray(CRC_BYTES), crc32(key)))
  return value
}

/** Whether the record is as this program wrote it: all kinds have the same checksum. */
export function isSealed({ key, value }: RawRecord): boolean {
  return unseal(key, value, CRC_BYTES) !== undefined
}

/** The value as it came, undefined where the CRC fails or it is too short to hold `headerBytes`. */
function unseal(key: Uint8Array, value: Uint8Array, headerBytes: number): Buffer | undefined {
  if (value.length < headerBytes) return undefined
  const record = Buffer.from(value.buffer, value.byteOffset, value.length)
  return crc32(record.subarray(CRC_BYTES), crc32(key)) === record.readUInt32BE() ? record : undefined
}

/** A plain Uint8Array: a Buffer's `slice` shares memory where that of a Uint8Array copies. */
function bytesFrom(record: Buffer, start: number): Uint8Array {
  return new Uint8Array(record.buffer, record.byteOffset + start, record.length - start)
}
