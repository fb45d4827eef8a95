import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import type { DeletedDocument, DocumentFacts } from '../catalog.ts'
import type { KnownWrite, Lineage, LogEntry, LogPart, Snapshot, StoredDocument } from '../document-store.ts'
import type { DatedDocument, DatedEntry } from '../history-store.ts'
import { lineageOf } from '../lineage.ts'
import { deletionOf, NO_LOG } from '../log-part.ts'
import { type CheckedRow, damagedError, intact } from './checked.ts'
import type { Heads } from './followers.ts'
import type { Link } from './link.ts'
import { EPOCH } from './schema/documents.ts'

interface EntryRow extends CheckedRow {
  readonly number: number
}

/**
 * A row of LOAD: the document itself, the two halves of what describes its snapshot, chunks and entries in order, and
 * its deletion.
 */
type LoadedRow =
  | ({ readonly kind: 'document'; readonly number: number } & LineageRow)
  | ({ readonly kind: 'chunk'; readonly number: number } & CheckedRow)
  | ({ readonly kind: 'entry'; readonly number: number } & CheckedRow & DatedRow)
  | ({ readonly kind: 'snapshot' } & SnapshotRow)
  | { readonly kind: 'deletion'; readonly data: Uint8Array }

export interface DatedRow {
  readonly time: number
  readonly authors: Uint8Array | null
}

interface LineageRow {
  readonly incarnation: number
  /** Pairs of an earlier incarnation and the last of its numbers. */
  readonly earlier: readonly number[]
}

interface SnapshotRow {
  readonly number: number
  readonly chunks: number
  readonly checksum: number
  readonly data: Uint8Array | null
  readonly delete_set: Uint8Array | null
}

/** One statement, so that all of it is of one moment. */
const load = (time: string, authors: string) => `
WITH d AS (SELECT id, head, incarnation, earlier, created_at FROM coedit.documents WHERE name = $1)
SELECT 1 AS place, 'document' AS kind, head::float8 AS number, incarnation::float8 AS incarnation,
  earlier::float8[] AS earlier, 0 AS chunks, 0 AS checksum, NULL::bytea AS data, NULL::bytea AS delete_set,
  0::float8 AS time, NULL::bytea AS authors FROM d
UNION ALL SELECT 2, 'snapshot', seq, 0, NULL, chunks, checksum, state_vector, delete_set, 0, NULL
  FROM d JOIN coedit.snapshots s ON s.document = d.id
UNION ALL SELECT 3, 'chunk', c.place, 0, NULL, 0, c.checksum, c.data, NULL, 0, NULL
  FROM d JOIN coedit.chunks c ON c.document = d.id
UNION ALL SELECT 4, 'entry', e.seq, 0, NULL, 0, e.checksum, e.data, NULL, ${time}, ${authors}
  FROM d JOIN coedit.entries e ON e.document = d.id
UNION ALL SELECT 5, 'deletion', 0, 0, NULL, 0, 0, clients, NULL, 0, NULL FROM coedit.deletions WHERE name = $1
ORDER BY place, number`

const LOAD = load('0', 'NULL')
const LOAD_DATED = load('coalesce(e.time, d.created_at)', 'e.authors')

/** @throws CoeditError STORAGE_DAMAGED */
export async function readDocument(link: Link, document: string): Promise<StoredDocument> {
  return documentIn(await link.query<LoadedRow>({ text: LOAD, values: [document] }), document)
}

/** @throws CoeditError STORAGE_DAMAGED */
export async function readDated(link: Link, document: string): Promise<DatedDocument> {
  const rows = await link.query<LoadedRow>({ text: LOAD_DATED, values: [document] })
  const entries = new Map(rows.flatMap((row) => (row.kind === 'entry' ? [[row.number, row]] : [])))
  const { tail, ...stored } = documentIn(rows, document)
  return { ...stored, tail: tail.map(({ seq, update }) => dated(seq, update, entries.get(seq))) }
}

export function dated(seq: number, update: Uint8Array, row: Partial<DatedRow> = {}): DatedEntry {
  const { time = 0, authors } = row
  return { seq, time: Math.floor(time), authors: new Uint8Array(authors ?? []), update }
}

function documentIn(rows: readonly LoadedRow[], document: string): StoredDocument {
  const [found] = rows
  const formerClients = rows.find((row) => row.kind === 'deletion')?.data
  const deletion = deletionOf(formerClients && new Uint8Array(formerClients), found?.kind === 'document')
  if (found?.kind !== 'document') return { ...NO_LOG, ...deletion, snapshot: null, tail: [] }
  const description = rows.find((row) => row.kind === 'snapshot')
  const chunks = rows.filter((row) => row.kind === 'chunk')
  const snapshot = description ? snapshotOf(description, chunks, document) : null
  const entries = rows.filter((row) => row.kind === 'entry')
  const tail = entriesOf(entries, document)
  const head = tail.at(-1)?.seq ?? snapshot?.seq ?? 0
  if (head !== found.number || (tail[0]?.seq ?? head + 1) !== (snapshot?.seq ?? 0) + 1) throw incompleteError(document)
  return { head, ...lineage(found), ...deletion, snapshot, tail }
}

// The sum of lengths does not read the entries themselves.
const READ_AFTER = `
SELECT d.incarnation::float8 AS incarnation, d.earlier::float8[] AS earlier, d.head::float8 AS head, coalesce(s.seq, 0)::float8 AS first,
  e.seq::float8 AS number, e.checksum, e.data
FROM coedit.documents d LEFT JOIN coedit.snapshots s ON s.document = d.id LEFT JOIN LATERAL (
  SELECT * FROM (
    SELECT seq, checksum, data, sum(octet_length(data)) OVER (ORDER BY seq) AS bytes
    FROM coedit.entries WHERE document = d.id AND seq > $2
  ) AS summed WHERE bytes <= $3 OR seq = $2 + 1
) AS e ON true
WHERE d.name = $1 ORDER BY e.seq`

interface ReadRow extends LineageRow {
  readonly head: number
  /** The number of the snapshot. */
  readonly first: number
  /** Null in the only row where there is no entry. */
  readonly number: number | null
  readonly checksum: number
  readonly data: Uint8Array
}

/** The entries after a number that are there: they may begin later, where a compaction has taken some in. */
export async function readFrom(
  link: Link,
  document: string,
  after: number,
  maxBytes = Number.MAX_SAFE_INTEGER,
): Promise<(LogPart & Pick<ReadRow, 'head' | 'first'>) | undefined> {
  const rows = await link.query<ReadRow>({ text: READ_AFTER, values: [document, after, maxBytes] })
  const [found] = rows
  if (!found) return undefined
  const { head, first } = found
  const entries = entriesOf(
    rows.flatMap(({ number, checksum, data }) => (number === null ? [] : [{ number, checksum, data }])),
    document,
  )
  return { ...lineage(found), entries, head, first }
}

const HEADS = `
SELECT ${EPOCH}::text AS epoch, d.name AS document, d.incarnation::float8 AS incarnation,
  d.earlier::float8[] AS earlier, d.head::float8 AS head
FROM (VALUES (1)) AS once LEFT JOIN (
  SELECT name, incarnation, earlier, head FROM coedit.documents WHERE name = ANY($1::text[])
  UNION ALL SELECT x.name, 0, '{}', 0 FROM coedit.deletions x
    WHERE x.name = ANY($1::text[]) AND NOT EXISTS (SELECT FROM coedit.documents d WHERE d.name = x.name)
) AS d ON true`

/** Null in the only row where there is none of the documents; one that is deleted is no incarnation. */
type HeadRow = { readonly epoch: string } & (
  | ({ readonly document: string; readonly head: number } & LineageRow)
  | { readonly document: null }
)

export async function readHeads(link: Link, documents: readonly string[]): Promise<Heads> {
  const rows = await link.query<HeadRow>({ text: HEADS, values: [documents] })
  const found = rows.flatMap((row) => (row.document === null ? [] : [row]))
  const heads = found.map((row) => ({ document: row.document, head: row.head, ...lineage(row) }))
  return { epoch: rows[0]?.epoch ?? '', heads }
}

function lineage({ incarnation, earlier }: LineageRow): Lineage {
  const pairs = Array.from({ length: earlier.length / 2 }, (_, index) => ({
    incarnation: earlier[2 * index] ?? 0,
    last: earlier[2 * index + 1] ?? 0,
  }))
  return lineageOf({ incarnation, earlierIncarnations: pairs })
}

// Lengths are known without reading the bytes.
const FACTS = `
SELECT created_at AS "createdAt", updated_at AS "updatedAt", head::float8 AS head,
  (SELECT coalesce(sum(octet_length(data)), 0)::float8 FROM coedit.chunks WHERE document = id) AS "snapshotBytes",
  tail.count::float8 AS "tailEntries", tail.bytes::float8 AS "tailBytes"
FROM coedit.documents, LATERAL (
  SELECT count(*) AS count, coalesce(sum(octet_length(data)), 0) AS bytes FROM coedit.entries WHERE document = id
) AS tail
WHERE name = $1`

export async function readFacts(link: Link, document: string): Promise<DocumentFacts | undefined> {
  const [facts] = await link.query<DocumentFacts>({ text: FACTS, values: [document] })
  return facts
}

const WRITE = `
SELECT d.incarnation::float8 AS incarnation, k.seq::float8 AS seq, k.request
FROM coedit.documents d JOIN coedit.keys k ON k.document = d.id WHERE d.name = $1 AND k.id = $2 AND k.time > $3
UNION ALL SELECT 0, 0, k.request FROM coedit.keys k WHERE k.document = 0 AND k.id = $4 AND k.time > $3`

/** The id of the key of a deletion, which outlives the document: keys of different documents may be the same. */
export function ofDeletion(document: string, id: Uint8Array): Uint8Array {
  return createHash('sha256').update(id).update(document).digest()
}

export async function readWrite(
  link: Link,
  document: string,
  id: Uint8Array,
  since: number,
): Promise<KnownWrite | undefined> {
  const [row] = await link.query<KnownWrite>({ text: WRITE, values: [document, id, since, ofDeletion(document, id)] })
  return row && { ...row, request: new Uint8Array(row.request) }
}

const DELETED = `
SELECT x.name AS document, x.clients AS "formerClients" FROM coedit.deletions x
WHERE ($1::text IS NULL OR x.name > $1) AND NOT EXISTS (SELECT FROM coedit.documents d WHERE d.name = x.name)
ORDER BY x.name LIMIT $2`

export async function readDeleted(
  link: Link,
  cursor: string | undefined,
  limit: number,
): Promise<readonly DeletedDocument[]> {
  const rows = await link.query<DeletedDocument>({ text: DELETED, values: [cursor ?? null, limit] })
  return rows.map(({ document, formerClients }) => ({ document, formerClients: new Uint8Array(formerClients) }))
}

export async function readNames(
  link: Link,
  prefix: string,
  cursor: string | undefined,
  limit: number,
): Promise<readonly string[]> {
  const text = `SELECT name FROM coedit.documents
    WHERE name LIKE $1 AND ($2::text IS NULL OR name > $2) ORDER BY name LIMIT $3`
  const pattern = `${prefix.replace(/[\\%_]/g, '\\$&')}%`
  const rows = await link.query<{ name: string }>({ text, values: [pattern, cursor ?? null, limit] })
  return rows.map(({ name }) => name)
}

/** Of what describes a snapshot; null counts as nothing. */
export function descriptionChecksum(stateVector: Uint8Array | null, deleteSet: Uint8Array | null): number {
  return crc32(deleteSet ?? '', crc32(stateVector ?? '')) | 0
}

function snapshotOf(row: SnapshotRow, chunks: readonly CheckedRow[], document: string): Snapshot {
  const { number, checksum, data, delete_set } = row
  if (checksum !== descriptionChecksum(data, delete_set) || chunks.length !== row.chunks)
    throw incompleteError(document)
  return {
    seq: number,
    chunks: chunks.map((chunk) => intact(chunk, document)),
    stateVector: data && new Uint8Array(data),
    deleteSet: delete_set && new Uint8Array(delete_set),
  }
}

function entriesOf(rows: readonly EntryRow[], document: string): LogEntry[] {
  const entries = rows.map((row) => ({ seq: row.number, update: intact(row, document) }))
  const [first] = entries
  if (first && entries.some(({ seq }, index) => seq !== first.seq + index)) throw incompleteError(document)
  return entries
}

function incompleteError(document: string) {
  return damagedError(document, 'some of what was stored of it is missing')
}

/** What tells this database from all others, and stays when a standby is promoted. */
export async function readScope(link: Link): Promise<string> {
  const text = `SELECT system_identifier || ' ' || current_database() || ' ' AS scope FROM pg_control_system()`
  const [row] = await link.query<{ scope: string }>({ text })
  return row?.scope ?? ''
}
