import { knownKeyError, MAX_WRITE_KEYS, WRITE_KEY_MS } from '../log-part.ts'
import type { WriteKey } from '../storage.ts'
import type { Operation, RawLevel } from './database.ts'
import { writeKeyKey, writeKeyOf, writeKeyRange } from './keys.ts'
import { removeKey } from './operations.ts'
import { decodeWritten, encodeWritten, type WrittenBody } from './records.ts'

/** The write with the key of this id, unless it was done too long ago, and its number. */
export async function readWrite(
  level: RawLevel,
  document: number,
  id: Uint8Array,
  now: number,
): Promise<(WrittenBody & { readonly seq: number }) | undefined> {
  const keys = await level.keys({ ...writeKeyRange(document) }).all()
  const key = keys.findLast((some) => Buffer.compare(writeKeyOf(some).id, id) === 0)
  const value = key && (await level.get(key))
  const written = key && value && decodeWritten({ key, value })
  return written && written.time > now - WRITE_KEY_MS ? { ...written, seq: writeKeyOf(key).seq } : undefined
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
  for (const { id } of keys) if (await readWrite(level, document, id, time)) throw knownKeyError(name)
  const present = await level.keys({ ...writeKeyRange(document) }).all()
  const tooMany = Math.max(0, present.length + keys.length - MAX_WRITE_KEYS)
  const puts = keys.map(({ id, request }): Operation => {
    const key = writeKeyKey(document, seq, id)
    return { type: 'put', key, value: encodeWritten(key, { time, request }) }
  })
  return [...present.slice(0, tooMany).map(removeKey), ...puts]
}
