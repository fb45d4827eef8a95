import { knownKeyError, MAX_WRITE_KEYS, WRITE_KEY_MS } from '../log-part.ts'
import type { WriteKey } from '../storage.ts'
import type { Operation, RawLevel } from './database.ts'
import { orderedKeyOf, writeKeyKey, writeOrderKey, writeOrderRange } from './keys.ts'
import { removeKey } from './operations.ts'
import { decodeWritten, encodeWritten, type WrittenBody } from './records.ts'

/** The write with the key of this id, unless it was done too long ago. */
export async function readWrite(
  level: RawLevel,
  document: number,
  id: Uint8Array,
  now: number,
): Promise<WrittenBody | undefined> {
  const written = await readNoted(level, document, id)
  return written && isKnown(written, now) ? written : undefined
}

async function readNoted(level: RawLevel, document: number, id: Uint8Array): Promise<WrittenBody | undefined> {
  const key = writeKeyKey(document, id)
  const value = await level.get(key)
  return value && decodeWritten({ key, value })
}

function isKnown({ time }: WrittenBody, now: number): boolean {
  return time > now - WRITE_KEY_MS
}

/** Keys that a document gets with an entry. */
export interface NewKeys {
  readonly name: string
  readonly document: number
  readonly seq: number
  readonly time: number
  readonly keys: readonly WriteKey[]
}

/**
 * What notes keys, and forgets those that are too many then.
 * @throws CoeditError STORAGE_CONFLICT where one is known
 */
export async function putWriteKeys(level: RawLevel, added: NewKeys): Promise<Operation[]> {
  const { name, document, seq, time, keys } = added
  const outdated: Uint8Array[] = []
  for (const { id } of keys) {
    const noted = await readNoted(level, document, id)
    if (noted && isKnown(noted, time)) throw knownKeyError(name)
    if (noted) outdated.push(writeOrderKey(document, noted.seq, id))
  }
  const ordered = await level.keys({ ...writeOrderRange(document) }).all()
  const tooMany = Math.max(0, ordered.length + keys.length - MAX_WRITE_KEYS)
  const removals = ordered.slice(0, tooMany).flatMap((order) => [order, writeKeyKey(document, orderedKeyOf(order))])
  const puts = keys.flatMap(({ id, request }): Operation[] => {
    const key = writeKeyKey(document, id)
    const value = encodeWritten(key, { seq, time, request })
    return [
      { type: 'put', key, value },
      { type: 'put', key: writeOrderKey(document, seq, id), value: new Uint8Array() },
    ]
  })
  return [...[...removals, ...outdated].map(removeKey), ...puts]
}
