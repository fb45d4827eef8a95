import { ByteReader } from '../wire/reader.ts'
import { ByteWriter } from '../wire/writer.ts'
import { encodeDeleteSet, type IdRanges, readDeleteSet, unionOf } from './ranges.ts'
import type { News } from './take.ts'

/** Who writes: the user of a token or, where there is none, whatever name a connection shows to others. */
export interface Writer {
  readonly name: string
  /** Whether nothing but the connection itself says so. */
  readonly isClaimed: boolean
}

/** What one writer has inserted and deleted. */
export interface Ids {
  readonly inserted: IdRanges
  readonly deleted: IdRanges
}

/** What of an entry is whose. */
export interface Share {
  /** Null where nobody is known. */
  readonly writer: Writer | null
  /** Undefined where all of the entry is theirs. */
  readonly ids?: Ids
}

/** What somebody brought. */
export interface Brought {
  readonly news: News
  readonly writer: Writer | null
}

const NOBODY = new Uint8Array()

/** How an encoding begins: with the kind of the only writer, whose name follows, or with `SEVERAL`. */
const UNKNOWN = 0
const USER = 1
const CLAIMED = 2
const SEVERAL = 3

/** Encodes who wrote what of an entry that was made of these; empty where nobody is known. */
export function encodeAuthors(parts: readonly Brought[]): Uint8Array {
  const byWriter = new Map<string, { readonly writer: Writer | null; readonly news: News[] }>()
  for (const { news, writer } of parts) {
    const key = writer ? `${writer.isClaimed}${writer.name}` : ''
    const known = byWriter.get(key)
    if (known) known.news.push(news)
    else byWriter.set(key, { writer, news: [news] })
  }
  const [first, ...others] = byWriter.values()
  return others.length > 0 ? encodeShares([...byWriter.values()]) : encodeWriter(first?.writer ?? null)
}

/** The same where all is one writer's. */
export function encodeWriter(writer: Writer | null): Uint8Array {
  return writer ? Buffer.concat([Uint8Array.of(kindOf(writer)), Buffer.from(writer.name)]) : NOBODY
}

function encodeShares(shares: readonly { readonly writer: Writer | null; readonly news: readonly News[] }[]) {
  const encoded = new ByteWriter()
  encoded.byte(SEVERAL)
  for (const { writer, news } of shares) {
    encoded.byte(kindOf(writer))
    encoded.text(writer?.name ?? '')
    encoded.copy(encodeDeleteSet(insertedBy(news)))
    encoded.copy(encodeDeleteSet(unionOf(news.map(({ deletes }) => deletes))))
  }
  return encoded.finish()
}

function kindOf(writer: Writer | null): number {
  if (!writer) return UNKNOWN
  return writer.isClaimed ? CLAIMED : USER
}

function insertedBy(news: readonly News[]): IdRanges {
  return unionOf(news.flatMap(({ runs }) => runs.map(({ client, clock, end }) => new Map([[client, [clock, end]]]))))
}

/**
 * What `encodeAuthors` has encoded.
 * @throws CoeditError STORAGE_DAMAGED
 */
export function decodeAuthors(authors: Uint8Array): readonly Share[] {
  const reader = new ByteReader(authors, 0, 'STORAGE_DAMAGED')
  if (reader.remaining === 0) return [{ writer: null }]
  const kind = reader.byte()
  if (kind !== SEVERAL) return [{ writer: writerOf(kind, nameIn(authors.subarray(reader.position))) }]
  const shares: Share[] = []
  while (reader.remaining > 0) {
    const writer = writerOf(reader.byte(), reader.text())
    shares.push({ writer, ids: { inserted: readDeleteSet(reader), deleted: readDeleteSet(reader) } })
  }
  return shares
}

function writerOf(kind: number, name: string): Writer | null {
  return kind === UNKNOWN ? null : { name, isClaimed: kind !== USER }
}

function nameIn({ buffer, byteOffset, length }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, length).toString()
}
