import { createHash } from 'node:crypto'
import { Recent } from '../../common/recent.ts'
import type { WriteKey } from '../document-store.ts'
import { MAX_WRITE_KEYS, WRITE_KEY_MS } from '../limits.ts'
import { knownKeyError } from '../log-part.ts'
import type { Database, Operation, RawLevel } from './database.ts'
import { orderedKeyOf, writeKeyKey, writeOrderKey, writeOrderRange } from './keys.ts'
import { removeKey } from './operations.ts'
import { decodeWritten, encodeWritten, type WrittenBody } from './records.ts'

/** The id of no document: keys of deletions outlive what was deleted. */
const DELETIONS = 0

/** Documents of which it is remembered how many keys they have; those of others are counted anew. */
const MAX_COUNTED = 10_000

/** Keys that a document gets with an entry. */
export interface NewKeys {
  readonly name: string
  readonly document: number
  readonly seq: number
  readonly time: number
  readonly keys: readonly WriteKey[]
}

/** What notes keys, and how many the document has then. */
export interface Noted {
  readonly document: number
  readonly operations: readonly Operation[]
  readonly count: number
}

/** Which writes were done with a key: of a document the last thousand, and of deletions so many of all documents. */
export class WriteKeys {
  readonly #database: Database
  readonly #counts = new Recent<number, number>(MAX_COUNTED)

  constructor(database: Database) {
    this.#database = database
  }

  /** The write with the key of this id, unless it was done too long ago. */
  async read(document: number, id: Uint8Array, now: number): Promise<WrittenBody | undefined> {
    const written = await this.#database.read((level) => readNoted(level, document, id))
    return written && isKnown(written, now) ? written : undefined
  }

  /** The same of a deletion. */
  readDeletion(name: string, id: Uint8Array, now: number): Promise<WrittenBody | undefined> {
    return this.read(DELETIONS, ofDeletion(name, id), now)
  }

  /**
   * What notes keys, and forgets those that are too many then. `wrote` is to be called when it is written.
   * @throws CoeditError STORAGE_CONFLICT where one is known
   */
  note({ name, document, seq, time, keys }: NewKeys): Promise<Noted> {
    return this.#database.read(async (level) => {
      const outdated: Uint8Array[] = []
      for (const { id } of keys) {
        const noted = await readNoted(level, document, id)
        if (noted && isKnown(noted, time)) throw knownKeyError(name)
        if (noted) outdated.push(writeOrderKey(document, noted.seq, id))
      }
      const count = (await this.#count(level, document)) - outdated.length + keys.length
      const tooMany = Math.max(0, count - MAX_WRITE_KEYS)
      const removals = tooMany === 0 ? [] : await oldest(level, document, tooMany)
      const puts = keys.flatMap(({ id, request }): Operation[] => {
        const key = writeKeyKey(document, id)
        return [
          { type: 'put', key, value: encodeWritten(key, { seq, time, request }) },
          { type: 'put', key: writeOrderKey(document, seq, id), value: new Uint8Array() },
        ]
      })
      return { document, operations: [...[...removals, ...outdated].map(removeKey), ...puts], count: count - tooMany }
    })
  }

  /** The same for a deletion. They are in the order of their times. */
  noteDeletion(name: string, { id, request }: WriteKey, time: number): Promise<Noted> {
    const keys = [{ id: ofDeletion(name, id), request }]
    return this.note({ name, document: DELETIONS, seq: Math.floor(time), time, keys })
  }

  wrote({ document, count }: Noted): void {
    this.#counts.set(document, count)
  }

  async #count(level: RawLevel, document: number): Promise<number> {
    return this.#counts.get(document) ?? (await level.keys({ ...writeOrderRange(document) }).all()).length
  }
}

async function readNoted(level: RawLevel, document: number, id: Uint8Array): Promise<WrittenBody | undefined> {
  const key = writeKeyKey(document, id)
  const value = await level.get(key)
  return value && decodeWritten({ key, value })
}

function isKnown({ time }: WrittenBody, now: number): boolean {
  return time > now - WRITE_KEY_MS
}

/** All records of the keys of a document that are oldest. */
async function oldest(level: RawLevel, document: number, count: number): Promise<readonly Uint8Array[]> {
  const ordered = await level.keys({ ...writeOrderRange(document), limit: count }).all()
  return ordered.flatMap((order) => [order, writeKeyKey(document, orderedKeyOf(order))])
}

/** Keys of different documents may be the same. */
function ofDeletion(name: string, id: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha256').update(id).update(name).digest())
}
