import type { HistoryRules } from '../document-store.ts'
import type { DatedEntry, Segment, WholeSegment } from '../history-store.ts'
import {
  decodeSegment,
  inflateAll,
  makeHistory,
  type NewHistory,
  type NewSegment,
  remakeSegment,
  type SegmentFacts,
} from '../segments.ts'
import { type CheckedRow, checksumOf, isIntact, pack } from './checked.ts'
import type { Link } from './link.ts'
import { type DatedRow, dated } from './reading.ts'

/** What a compaction takes out of the log of a document. */
interface Taken {
  readonly document: string
  /** The number of the snapshot that it replaces. */
  readonly replaces: number
  readonly seq: number
}

export interface PreparedHistory extends NewHistory {
  /** The place that they are to follow. */
  readonly after: number
}

const TAKEN = `
SELECT e.seq::float8 AS seq, e.checksum, e.data, coalesce(e.time, d.created_at) AS time, e.authors
FROM coedit.documents d JOIN coedit.entries e ON e.document = d.id
WHERE d.name = $1 AND e.seq > $2 AND e.seq <= $3 ORDER BY e.seq`

interface TakenRow extends CheckedRow, DatedRow {
  readonly seq: number
}

const LAST = `
SELECT s.place::float8 AS place, s.first::float8 AS first, s.last::float8 AS last, s.since, s.until,
  s.is_start AS "isStart", s.run_since AS "runSince", s.run_bytes::float8 AS "runBytes"
FROM coedit.documents d JOIN coedit.segments s ON s.document = d.id
WHERE d.name = $1 ORDER BY s.place DESC LIMIT 1`

const SNAPSHOT_BYTES = `
SELECT coalesce(sum(octet_length(c.data)), 0)::float8 AS bytes
FROM coedit.documents d JOIN coedit.chunks c ON c.document = d.id WHERE d.name = $1`

const CHUNKS = `
SELECT c.checksum, c.data FROM coedit.documents d JOIN coedit.chunks c ON c.document = d.id
WHERE d.name = $1 ORDER BY c.place`

/**
 * Makes segments of the entries that a snapshot with the number `seq` takes out of the log. Undefined where not all of
 * them can be read: what is damaged is no history, and the next segment begins anew.
 */
export async function prepareHistory(
  link: Link,
  { document, replaces, seq }: Taken,
  rules: HistoryRules,
): Promise<PreparedHistory | undefined> {
  const rows = await link.query<TakenRow>({ text: TAKEN, values: [document, replaces, seq] })
  if (rows.length === 0 || rows.length < seq - replaces || !rows.every(isIntact)) return undefined
  const entries = rows.map((row) => dated(row.seq, new Uint8Array(row.data), row))
  const [last] = await link.query<SegmentFacts & Pick<Segment, 'place'>>({ text: LAST, values: [document] })
  const [{ bytes } = { bytes: 0 }] = await link.query<{ bytes: number }>({ text: SNAPSHOT_BYTES, values: [document] })
  const chunks = async () => {
    const found = await link.query<CheckedRow>({ text: CHUNKS, values: [document] })
    return found.map(({ data }) => new Uint8Array(data))
  }
  const made = await makeHistory({ entries, before: { byteLength: bytes, chunks }, last, rules })
  return { ...made, after: last?.place ?? 0 }
}

/** The parameters of coedit.compact that are about the history. */
export function historyParameters({ segments, start, after }: PreparedHistory): readonly unknown[] {
  const contents = pack(segments.map(({ content }) => content))
  const chunks = pack(start)
  return [
    after,
    segments.flatMap(factsOf),
    ...[contents.sizes, contents.checksums, contents.content],
    ...[chunks.sizes, chunks.checksums, chunks.content],
  ]
}

function factsOf({ first, last, since, until, isStart, runSince, runBytes }: NewSegment): readonly number[] {
  return [first, last, since, until, isStart ? 1 : 0, runSince, runBytes]
}

const SEGMENTS = `
SELECT s.place::float8 AS place, s.first::float8 AS first, s.last::float8 AS last, s.since, s.until,
  s.is_start AS "isStart"
FROM coedit.documents d JOIN coedit.segments s ON s.document = d.id
WHERE d.name = $1 AND ($2::bigint IS NULL OR s.place < $2) ORDER BY s.place DESC LIMIT $3`

/** The latest first. */
export function readSegments(link: Link, document: string, before: number | undefined, limit: number) {
  return link.query<Segment>({ text: SEGMENTS, values: [document, before ?? null, limit] })
}

const ENTRIES = `
SELECT s.checksum, s.data FROM coedit.documents d JOIN coedit.segments s ON s.document = d.id
WHERE d.name = $1 AND s.place = $2`

export async function readEntries(
  link: Link,
  document: string,
  place: number,
): Promise<readonly DatedEntry[] | undefined> {
  const [row] = await link.query<CheckedRow>({ text: ENTRIES, values: [document, place] })
  return row && isIntact(row) ? decodeSegment(row.data) : undefined
}

const START = `
SELECT s.start_chunks AS count, c.checksum, c.data
FROM coedit.documents d JOIN coedit.segments s ON s.document = d.id
LEFT JOIN coedit.starts c ON c.document = d.id AND c.place = s.place
WHERE d.name = $1 AND s.place = $2 AND s.is_start ORDER BY c.chunk`

export async function readStart(
  link: Link,
  document: string,
  place: number,
): Promise<readonly Uint8Array[] | undefined> {
  const rows = await link.query<CheckedRow & { readonly count: number }>({ text: START, values: [document, place] })
  const [first] = rows
  if (!first || first.count === 0) return first && []
  const chunks = rows.filter((row) => row.data !== null && isIntact(row))
  return chunks.length === first.count ? inflateAll(chunks.map(({ data }) => data)) : undefined
}

const SNAPSHOT_NUMBER = `
SELECT s.seq::float8 AS seq FROM coedit.documents d JOIN coedit.snapshots s ON s.document = d.id WHERE d.name = $1`

/** The snapshot is locked, as by a compaction, so that nobody else adds segments. */
const STORE_SEGMENT = `
WITH d AS (
  SELECT d.id FROM coedit.documents d JOIN coedit.snapshots s ON s.document = d.id
  WHERE d.name = $1 AND $2::bigint = (SELECT coalesce(max(o.place), 0) FROM coedit.segments o WHERE o.document = d.id)
  FOR NO KEY UPDATE OF s
), before AS (
  INSERT INTO coedit.starts SELECT d.id, $2::bigint + 1, p.n, p.checksum,
    substr($13::bytea, 1 + (sum(p.size) OVER (ORDER BY p.n) - p.size)::integer, p.size)
  FROM d, unnest($11::integer[], $12::integer[]) WITH ORDINALITY AS p(size, checksum, n)
)
INSERT INTO coedit.segments
SELECT d.id, $2::bigint + 1, $3::bigint, $4::bigint, $5::float8, $6::float8, $7::integer = 1, cardinality($11::integer[]),
  $8::float8, $9::bigint, $10::integer, $14::bytea
FROM d`

/** Does nothing where the segment does not follow what is there, and so where it is repeated. */
export async function storeSegment(link: Link, document: string, whole: WholeSegment): Promise<void> {
  const [last] = await link.query<SegmentFacts & Pick<Segment, 'place'>>({ text: LAST, values: [document] })
  const [stored] = await link.query<{ seq: number }>({ text: SNAPSHOT_NUMBER, values: [document] })
  const made = await remakeSegment(whole, last, stored?.seq ?? 0)
  if (!made) return
  const { sizes, checksums, content } = pack(made.start)
  for (const segment of made.segments) {
    const values = [document, last?.place ?? 0, ...factsOf(segment), checksumOf(segment.content)]
    await link.query({ text: STORE_SEGMENT, values: [...values, sizes, checksums, content, segment.content] })
  }
}

/** Removes what is too old of all documents, each on its own. */
export async function expireHistory(link: Link, time: number): Promise<void> {
  const text = 'SELECT DISTINCT document::text FROM coedit.segments WHERE until < $1'
  for (const { document } of await link.query<{ document: string }>({ text, values: [time] })) {
    await link.query({ text: 'SELECT coedit.expire_history($1, $2)', values: [document, time] })
  }
}
