import { promisify } from 'node:util'
import { deflate as deflateWith, inflate as inflateWith } from 'node:zlib'
import { hasCode } from '../common/errors.ts'
import { ByteReader } from '../protocol/wire/reader.ts'
import { ByteWriter } from '../protocol/wire/writer.ts'
import type { HistoryRules } from './document-store.ts'
import type { DatedEntry, Segment, WholeSegment } from './history-store.ts'

// In threads of Node's own, so that the event loop goes on.
export const deflate = promisify<Uint8Array, Uint8Array>(deflateWith)
const inflate = promisify<Uint8Array, Uint8Array>(inflateWith)

/** Entries of a segment before they are compressed, unless one entry alone is more. */
const SEGMENT_BYTES = 256 * 1024

/**
 * What was before a segment is kept with it when those since the last start, compressed, are so many times what the
 * document was as a snapshot, which is compressed to half of it or less: that keeps it below a fourth of the segments.
 */
const RUN_SHARE = 2

const VERSION = 1
const NO_AUTHORS = new Uint8Array()

/** What is known of a segment beside its entries. */
export interface SegmentFacts extends Omit<Segment, 'place'> {
  /** When the run began that it belongs to: the segments from a start on. */
  readonly runSince: number
  /** Bytes of the run, compressed, up to the end of this segment. */
  readonly runBytes: number
}

/** A segment as it is to be stored. */
export interface NewSegment extends SegmentFacts {
  /** Compressed entries. */
  readonly content: Uint8Array
}

/** What a compaction takes out of a log. */
export interface TakenOut {
  /** In order, and without a gap; at least one. */
  readonly entries: readonly DatedEntry[]
  /** What was before them. */
  readonly before: {
    readonly byteLength: number
    chunks(): Promise<readonly Uint8Array[]>
  }
  /** The last segment that there is. */
  readonly last: SegmentFacts | undefined
  readonly rules: HistoryRules
}

export interface NewHistory {
  readonly segments: readonly NewSegment[]
  /** Compressed chunks of what was before the first of them, where that is a start. */
  readonly start: readonly Uint8Array[]
}

/** Makes segments of what a compaction takes out. */
export async function makeHistory({ entries, before, last, rules }: TakenOut): Promise<NewHistory> {
  const [earliest] = entries
  const isStart = last?.last !== earliest.seq - 1 || isRunOver(last, before.byteLength, earliest.time, rules)
  const chunks = isStart && earliest.seq > 1 ? await before.chunks() : []
  const segments: NewSegment[] = []
  let run = isStart ? { runSince: earliest.time, runBytes: 0 } : last
  for (const part of partsOf(entries)) {
    const content = await deflate(encodeEntries(part))
    const facts = factsOf(part, isStart && segments.length === 0)
    run = { runSince: run.runSince, runBytes: run.runBytes + content.length }
    segments.push({ ...facts, ...run, content })
  }
  return { segments, start: await deflateAll(chunks) }
}

/**
 * Makes a segment again that another storage had. Undefined where it does not follow the last one that there is, or goes
 * beyond the number `end` of the snapshot.
 */
export async function remakeSegment(
  { entries, start }: WholeSegment,
  last: SegmentFacts | undefined,
  end: number,
): Promise<NewHistory | undefined> {
  const facts = factsOf(entries, start !== undefined)
  const isNext = start ? facts.first > (last?.last ?? 0) : facts.first - 1 === last?.last
  if (!isNext || facts.last > end) return undefined
  const content = await deflate(encodeEntries(entries))
  const run = start || !last ? { runSince: entries[0].time, runBytes: 0 } : last
  const segment = { ...facts, runSince: run.runSince, runBytes: run.runBytes + content.length, content }
  return { segments: [segment], start: await deflateAll(start ?? []) }
}

async function deflateAll(chunks: readonly Uint8Array[]): Promise<readonly Uint8Array[]> {
  const deflated: Uint8Array[] = []
  for (const chunk of chunks) deflated.push(await deflate(chunk))
  return deflated
}

function isRunOver(last: SegmentFacts, snapshotBytes: number, now: number, { maxRunMs }: HistoryRules): boolean {
  return last.runBytes >= Math.max(RUN_SHARE * snapshotBytes, SEGMENT_BYTES) || now - last.runSince > maxRunMs
}

function factsOf(entries: readonly DatedEntry[], isStart: boolean): Omit<Segment, 'place'> {
  const first = entries[0].seq
  let since = Number.POSITIVE_INFINITY
  let until = 0
  for (const { time } of entries) {
    since = Math.min(since, time)
    until = Math.max(until, time)
  }
  return { first, last: first + entries.length - 1, since, until, isStart }
}

function* partsOf(entries: readonly DatedEntry[]): Generator<readonly DatedEntry[]> {
  let begin = 0
  let bytes = 0
  for (const [index, { update }] of entries.entries()) {
    if (index > begin && bytes + update.length > SEGMENT_BYTES) {
      yield entries.slice(begin, index)
      begin = index
      bytes = 0
    }
    bytes += update.length
  }
  yield entries.slice(begin)
}

/** A compressed segment: the version, the first number, then each entry. */
export async function decodeSegment(content: Uint8Array): Promise<readonly DatedEntry[]> {
  const reader = new ByteReader(await inflate(content), 0, 'STORAGE_DAMAGED')
  const version = reader.byte()
  if (version !== VERSION) reader.fail(`segments of version ${version} are not known`, 0)
  const first = reader.varUint()
  const known: Uint8Array[] = []
  const entries: DatedEntry[] = []
  for (let time = 0; reader.remaining > 0; ) {
    time += signed(reader.varUint())
    const authors = readAuthors(reader, known)
    entries.push({ seq: first + entries.length, time, authors, update: reader.varBytes() })
  }
  return entries
}

function encodeEntries(entries: readonly DatedEntry[]): Uint8Array {
  const writer = new ByteWriter(SEGMENT_BYTES)
  writer.byte(VERSION)
  writer.varUint(entries[0].seq)
  const known = new Map<string, number>()
  let before = 0
  for (const { time, authors, update } of entries) {
    writer.varUint(unsigned(time - before))
    before = time
    writeAuthors(writer, authors, known)
    writer.varBytes(update)
  }
  return writer.finish()
}

/** Authors begin with a list; what is in it comes again in other entries, and is written once. */
function writeAuthors(writer: ByteWriter, authors: Uint8Array, known: Map<string, number>): void {
  const { list, rest } = partedAuthors(authors)
  writer.varUint(list.length)
  for (const author of list) {
    const key = Buffer.from(author).toString('latin1')
    const number = known.get(key)
    writer.varUint(number ?? known.size)
    if (number !== undefined) continue
    known.set(key, known.size)
    writer.varBytes(author)
  }
  if (list.length > 1) writer.varBytes(rest)
}

/** No list where they are damaged: that is no reason to keep nothing of the entry. */
function partedAuthors(authors: Uint8Array): { readonly list: readonly Uint8Array[]; readonly rest: Uint8Array } {
  const reader = new ByteReader(authors, 0, 'STORAGE_DAMAGED')
  const list: Uint8Array[] = []
  try {
    for (let left = reader.remaining === 0 ? 0 : reader.count(1, 'authors'); left > 0; left--)
      list.push(reader.varBytes())
  } catch (error) {
    if (hasCode(error, 'STORAGE_DAMAGED')) return { list: [], rest: NO_AUTHORS }
    throw error
  }
  return { list, rest: authors.subarray(reader.position) }
}

function readAuthors(reader: ByteReader, known: Uint8Array[]): Uint8Array {
  const count = reader.varUint()
  if (count === 0) return NO_AUTHORS
  const authors = new ByteWriter()
  authors.varUint(count)
  for (let left = count; left > 0; left--) {
    const number = reader.varUint()
    if (number === known.length) known.push(reader.varBytes())
    authors.varBytes(known[number] ?? reader.fail(`there is no author ${number}`))
  }
  if (count > 1) authors.copy(reader.varBytes())
  return authors.finish()
}

/** Clocks of several servers may go back. */
function unsigned(value: number): number {
  return value < 0 ? -2 * value - 1 : 2 * value
}

function signed(value: number): number {
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2
}

export async function inflateAll(parts: readonly Uint8Array[]): Promise<readonly Uint8Array[]> {
  const whole: Uint8Array[] = []
  // A Buffer's `slice` shares memory where that of a Uint8Array copies.
  for (const part of parts) whole.push(plain(await inflate(part)))
  return whole
}

export function plain({ buffer, byteOffset, length }: Uint8Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, length)
}

/**
 * Up to which of these segments, which are all of a document in order, all may go: no entry in them was written at a
 * time or later, nor do later ones need what they hold. Undefined where none may.
 */
export function expiredUpTo(segments: readonly Segment[], time: number): number | undefined {
  const living = segments.findIndex(({ until }) => until >= time)
  if (living < 0) return segments.at(-1)?.place
  const start = segments.findLastIndex(({ isStart }, index) => isStart && index <= living)
  return segments[start - 1]?.place
}
