import type { HistoryRules } from '../document-store.ts'
import type { DatedEntry, Segment, WholeSegment } from '../history-store.ts'
import {
  decodeSegment,
  expiredUpTo,
  inflateAll,
  makeHistory,
  type NewHistory,
  type NewSegment,
  plain,
  remakeSegment,
} from '../segments.ts'
import type { Operation, RawLevel } from './database.ts'
import {
  chunkKey,
  documentIdOf,
  HISTORIES,
  historyRange,
  placeOf,
  segmentEntriesKey,
  segmentKey,
  segmentPartRanges,
  segmentRange,
  startChunkKey,
  startKey,
} from './keys.ts'
import { type EntryRecord, sortRecords } from './layout.ts'
import { type Position, type Removable, readMetadata } from './lookup.ts'
import { readLast, readRange } from './read-range.ts'
import {
  decodeBytes,
  decodeSegmentFacts,
  encodeBytes,
  encodeSegmentFacts,
  type Metadata,
  type RawRecord,
} from './records.ts'

/** Segments that are to be written: their parts before the step that makes them count, and their facts in it. */
export interface PreparedHistory {
  readonly parts: readonly Operation[]
  readonly facts: readonly Operation[]
}

/**
 * Makes segments of the entries that a snapshot with the number `seq` takes out of the log. Undefined where not all of
 * them could be read: what is damaged is no history, and the next segment begins anew.
 */
export async function prepareHistory(
  level: RawLevel,
  { id, metadata }: Position & { readonly metadata: Metadata },
  replaced: readonly EntryRecord[],
  seq: number,
  rules: HistoryRules,
): Promise<PreparedHistory | undefined> {
  const { snapshotSeq, snapshotBytes } = metadata
  const entries = replaced.filter((entry) => entry.seq > snapshotSeq)
  if (entries.length === 0 || entries.length < seq - snapshotSeq) return undefined
  const last = await readLast(level, segmentRange(id))
  const before = { byteLength: snapshotBytes, chunks: () => readChunks(level, id, metadata) }
  const facts = last && decodeSegmentFacts(last)
  const made = await makeHistory({ entries: entries.map(dated), before, last: facts, rules })
  return operationsOf(id, last ? placeOf(last.key) + 1 : 1, made)
}

/** What adds a segment; undefined where it does not follow what is there. */
export async function prepareSegment(
  level: RawLevel,
  id: number,
  segment: WholeSegment,
): Promise<PreparedHistory | undefined> {
  const metadata = await readMetadata(level, id)
  const last = await readLast(level, segmentRange(id))
  const made = await remakeSegment(segment, last && decodeSegmentFacts(last), metadata?.snapshotSeq ?? 0)
  return made && operationsOf(id, last ? placeOf(last.key) + 1 : 1, made)
}

async function readChunks(level: RawLevel, id: number, { generation, chunkCount }: Metadata): Promise<Uint8Array[]> {
  const range = { gte: chunkKey(id, generation, 0), lt: chunkKey(id, generation, chunkCount) }
  return sortRecords(await readRange(level, range)).chunks.map(({ update }) => update)
}

function operationsOf(id: number, place: number, { segments, start }: NewHistory): PreparedHistory {
  const chunks = start.map((chunk, index) => putBytes(startChunkKey(id, place, index), chunk))
  const contents = segments.map(({ content }, index) => putBytes(segmentEntriesKey(id, place + index), content))
  const facts = segments.map((segment, index) => putFacts(id, place + index, segment, index === 0 ? start.length : 0))
  return { parts: [...chunks, ...contents], facts }
}

function putBytes(key: Uint8Array, bytes: Uint8Array): Operation {
  return { type: 'put', key, value: encodeBytes(key, bytes) }
}

function putFacts(id: number, place: number, segment: NewSegment, startChunks: number): Operation {
  const key = segmentKey(id, place)
  return { type: 'put', key, value: encodeSegmentFacts(key, { ...segment, startChunks }) }
}

export function dated({ seq, time, authors, update }: EntryRecord): DatedEntry {
  return { seq, time, authors, update }
}

/** The latest first; damaged ones are left out. */
export async function readSegments(
  level: RawLevel,
  id: number,
  before: number | undefined,
  limit: number,
): Promise<readonly Segment[]> {
  const records = await level.iterator({ ...segmentRange(id, before), reverse: true, limit }).all()
  return records.flatMap(([key, value]) => segmentIn({ key, value }) ?? [])
}

/** Undefined where it is damaged. */
function segmentIn(record: RawRecord): Segment | undefined {
  const facts = decodeSegmentFacts(record)
  if (!facts) return undefined
  const { first, last, since, until, isStart } = facts
  return { place: placeOf(record.key), first, last, since, until, isStart }
}

export async function readEntries(level: RawLevel, id: number, place: number) {
  const content = await readBytes(level, segmentEntriesKey(id, place))
  return content && decodeSegment(content)
}

export async function readStart(
  level: RawLevel,
  id: number,
  place: number,
): Promise<readonly Uint8Array[] | undefined> {
  const key = segmentKey(id, place)
  const value = await level.get(key)
  const facts = value && decodeSegmentFacts({ key, value })
  if (!facts?.isStart) return undefined
  const range = { gte: startKey(id, place), lt: startKey(id, place + 1) }
  const chunks = (await readRange(level, range)).flatMap((record) => decodeBytes(record) ?? [])
  return chunks.length === facts.startChunks ? inflateAll(chunks) : undefined
}

async function readBytes(level: RawLevel, key: Uint8Array): Promise<Uint8Array | undefined> {
  const value = await level.get(key)
  const bytes = value && decodeBytes({ key, value })
  return bytes && plain(bytes)
}

/** What an interrupted compaction left: parts of segments that never counted. */
export async function readHistoryLeftovers(level: RawLevel, id: number): Promise<readonly Uint8Array[]> {
  const last = await readLast(level, segmentRange(id))
  return keysIn(level, segmentPartRanges(id, last ? placeOf(last.key) + 1 : 1))
}

/** Everything that is kept of the history of a document. */
export async function readHistory(level: RawLevel, id: number): Promise<Removable> {
  const { gte, lt } = historyRange(id)
  return { keys: await keysIn(level, [{ gte, lt }]), bytes: await level.approximateSize(gte, lt) }
}

/** The documents that have a history. */
export async function readDocumentsWithHistory(level: RawLevel): Promise<readonly number[]> {
  const iterator = level.keys({ ...HISTORIES })
  const ids: number[] = []
  try {
    for (let key = await iterator.next(); key; key = await iterator.next()) {
      ids.push(documentIdOf(key))
      iterator.seek(historyRange(documentIdOf(key)).lt)
    }
  } finally {
    await iterator.close()
  }
  return ids
}

/** What of a history may go: nothing in it was written at `time` or later, or is needed by what was. */
export async function readExpired(level: RawLevel, id: number, time: number): Promise<Removable | undefined> {
  const records = await readRange(level, segmentRange(id))
  const segments = records.flatMap((record) => segmentIn(record) ?? [])
  const last = expiredUpTo(segments, time)
  if (last === undefined) return undefined
  const ranges = [
    segmentRange(id, last + 1),
    { gte: segmentEntriesKey(id, 0), lt: segmentEntriesKey(id, last + 1) },
    { gte: startKey(id, 0), lt: startKey(id, last + 1) },
  ]
  let bytes = 0
  for (const { gte, lt } of ranges) bytes += await level.approximateSize(gte, lt)
  return { keys: await keysIn(level, ranges), bytes }
}

async function keysIn(
  level: RawLevel,
  ranges: readonly { readonly gte: Uint8Array; readonly lt: Uint8Array }[],
): Promise<Uint8Array[]> {
  const keys: Uint8Array[] = []
  for (const range of ranges) keys.push(...(await level.keys({ ...range }).all()))
  return keys
}
