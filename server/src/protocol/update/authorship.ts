import { ByteReader } from '../wire/reader.ts'
import { ByteWriter } from '../wire/writer.ts'
import { encodeDeleteSet, type IdRanges, readDeleteSet, unionOf } from './ranges.ts'
import { indexUpdate } from './scan.ts'
import type { News } from './take.ts'

/** Who writes: the user of a token or, where there is none, whatever name a connection shows to others. */
export interface Writer {
  readonly name: string
  /** Whether nothing but the connection itself says so. */
  readonly isClaimed: boolean
}

/** What somebody has inserted and deleted. */
export interface Ids {
  readonly inserted: IdRanges
  readonly deleted: IdRanges
}

/** What somebody brought; the writer is null where nobody is known. */
export interface Brought {
  readonly news: News
  readonly writer: Writer | null
}

/** How the encoding of a writer begins, before the name. */
const UNKNOWN = 0
const USER = 1
const CLAIMED = 2

/** How it is said what is whose: for each client with structs, then for each with deletions, or by ids. */
const BY_CLIENT = 0
const BY_IDS = 1

const NOBODY = new Uint8Array()

/**
 * Encodes who wrote what of an update that `encodeNews` makes of these: a list of writers, and of several what is
 * whose. Empty where nobody is known.
 */
export function encodeAuthors(parts: readonly Brought[]): Uint8Array {
  const byWriter = new Map<string, { readonly writer: Writer | null; readonly news: News[] }>()
  for (const { news, writer } of parts) {
    const key = writer ? `${writer.isClaimed}${writer.name}` : ''
    const known = byWriter.get(key)
    if (known) known.news.push(news)
    else byWriter.set(key, { writer, news: [news] })
  }
  const [first, ...others] = byWriter.values()
  if (others.length === 0) return encodeWriter(first?.writer ?? null)
  const all = [...byWriter.values()]
  const encoded = new ByteWriter()
  encoded.varUint(all.length)
  for (const { writer } of all) encoded.varBytes(bytesOf(writer))
  writeShares(
    encoded,
    all.map(({ news }) => news),
  )
  return encoded.finish()
}

/** The same where all is one writer's. */
export function encodeWriter(writer: Writer | null): Uint8Array {
  if (!writer) return NOBODY
  const encoded = new ByteWriter()
  encoded.varUint(1)
  encoded.varBytes(bytesOf(writer))
  return encoded.finish()
}

function bytesOf(writer: Writer | null): Uint8Array {
  if (!writer) return Uint8Array.of(UNKNOWN)
  return Buffer.concat([Uint8Array.of(writer.isClaimed ? CLAIMED : USER), Buffer.from(writer.name)])
}

function writeShares(encoded: ByteWriter, newsOf: readonly (readonly News[])[]): void {
  const structs = soleWriters(newsOf, ({ runs }) => runs.map(({ client }) => client))
  const deletions = soleWriters(newsOf, ({ deletes }) =>
    [...deletes].flatMap(([client, ranges]) => (ranges.length > 0 ? [client] : [])),
  )
  if (structs && deletions) {
    encoded.byte(BY_CLIENT)
    for (const sole of [structs, deletions]) for (const writer of inOrder(sole)) encoded.varUint(writer)
    return
  }
  encoded.byte(BY_IDS)
  for (const news of newsOf) {
    encoded.copy(encodeDeleteSet(insertedBy(news)))
    encoded.copy(encodeDeleteSet(unionOf(news.map(({ deletes }) => deletes))))
  }
}

/** Which of the writers is the only one of each client; undefined where a client has two. */
function soleWriters(
  newsOf: readonly (readonly News[])[],
  clientsOf: (news: News) => Iterable<number>,
): ReadonlyMap<number, number> | undefined {
  const sole = new Map<number, number>()
  for (const [writer, all] of newsOf.entries()) {
    for (const news of all) {
      for (const client of clientsOf(news)) {
        const other = sole.get(client)
        if (other !== undefined && other !== writer) return undefined
        sole.set(client, writer)
      }
    }
  }
  return sole
}

/** Those of clients in the order in which an update has them. */
function inOrder(sole: ReadonlyMap<number, number>): readonly number[] {
  return [...sole].sort(([a], [b]) => b - a).map(([, writer]) => writer)
}

function insertedBy(news: readonly News[]): IdRanges {
  return unionOf(news.flatMap(({ runs }) => runs.map(({ client, clock, end }) => new Map([[client, [clock, end]]]))))
}

/**
 * The writers of an entry by what `encodeAuthors` has encoded.
 * @throws CoeditError STORAGE_DAMAGED
 */
export function decodeWriters(authors: Uint8Array): readonly (Writer | null)[] {
  return readWriters(new ByteReader(authors, 0, 'STORAGE_DAMAGED'))
}

/**
 * What each of the writers has written of an entry, in the same order.
 * @throws CoeditError STORAGE_DAMAGED
 */
export function decodeShares(authors: Uint8Array, update: Uint8Array): readonly Ids[] {
  const reader = new ByteReader(authors, 0, 'STORAGE_DAMAGED')
  const { length } = readWriters(reader)
  const { sections, deletes } = indexUpdate(update)
  const inserted = new Map(sections.map(({ client, clock, end }) => [client, [clock, end]]))
  if (length === 1) return [{ inserted, deleted: deletes }]
  if (reader.byte() === BY_IDS) {
    return Array.from({ length }, () => ({ inserted: readDeleteSet(reader), deleted: readDeleteSet(reader) }))
  }
  const [structs, deletions] = [readParted(reader, inserted, length), readParted(reader, deletes, length)]
  return structs.map((own, writer) => ({ inserted: own, deleted: deletions[writer] }))
}

/** Parts ids by whose each client is. */
function readParted(reader: ByteReader, ids: IdRanges, writers: number): IdRanges[] {
  const parts = Array.from({ length: writers }, () => new Map<number, number[]>())
  for (const [client, ranges] of ids) {
    const at = reader.position
    const writer = reader.varUint()
    const part = parts[writer] ?? reader.fail(`there is no writer ${writer}`, at)
    part.set(client, ranges)
  }
  return parts
}

function readWriters(reader: ByteReader): readonly (Writer | null)[] {
  if (reader.remaining === 0) return [null]
  return Array.from({ length: reader.count(2, 'writers') }, () => {
    const [kind, ...name] = reader.varBytes()
    return kind === UNKNOWN ? null : { name: Buffer.from(name).toString(), isClaimed: kind === CLAIMED }
  })
}
