import type { NamedVersion, NewNamedVersion } from '../history-store.ts'
import { MAX_NAMED_VERSIONS } from '../limits.ts'
import { inflateAll } from '../segments.ts'
import type { Operation, RawLevel } from './database.ts'
import { namedContentKey, namedKey, namedRange, nameOfVersion } from './keys.ts'
import { removeKey } from './operations.ts'
import { readRange } from './read-range.ts'
import { decodeBytes, decodeNamed, encodeBytes, encodeNamed } from './records.ts'

/**
 * What names a version, or why that is not done.
 * @param content its update, compressed
 */
export async function putNamedVersion(
  level: RawLevel,
  id: number,
  version: NewNamedVersion,
  content: Uint8Array,
): Promise<readonly Operation[] | 'taken' | 'full'> {
  const key = namedKey(id, version.name)
  if (await level.get(key)) return 'taken'
  if ((await level.keys({ ...namedRange(id) }).all()).length >= MAX_NAMED_VERSIONS) return 'full'
  const contentKey = namedContentKey(id, version.name)
  return [
    { type: 'put', key, value: encodeNamed(key, version) },
    { type: 'put', key: contentKey, value: encodeBytes(contentKey, content) },
  ]
}

/** Damaged ones are left out. */
export async function readNamedVersions(level: RawLevel, id: number): Promise<readonly NamedVersion[]> {
  return (await readRange(level, namedRange(id))).flatMap((record) => {
    const body = decodeNamed(record)
    return body ? [{ name: nameOfVersion(record.key), ...body }] : []
  })
}

export async function readNamedVersion(level: RawLevel, id: number, name: string): Promise<Uint8Array | undefined> {
  const key = namedContentKey(id, name)
  const value = await level.get(key)
  const bytes = value && decodeBytes({ key, value })
  return bytes && (await inflateAll([bytes]))[0]
}

/** None where there is no such version. */
export async function removalOfNamed(level: RawLevel, id: number, name: string): Promise<readonly Operation[]> {
  const key = namedKey(id, name)
  return (await level.get(key)) ? [key, namedContentKey(id, name)].map(removeKey) : []
}
