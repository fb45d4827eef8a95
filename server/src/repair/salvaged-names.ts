import type { RawLevel } from '../storage/level/database.ts'
import { documentIdOf, nameOf, nameRange } from '../storage/level/keys.ts'
import { firstRecords, readMetadata } from '../storage/level/lookup.ts'
import { readRange } from '../storage/level/read-range.ts'
import { decodeNumber } from '../storage/level/records.ts'

/** Which names the documents have. */
export interface Names {
  /** The name table: ids by name, undefined for a damaged record. */
  readonly table: ReadonlyMap<string, number | undefined>
  /** By id, which name is the document's. */
  readonly ofId: ReadonlyMap<number, string>
}

/** All ids under which there are records. */
export async function readIds(level: RawLevel): Promise<number[]> {
  const ids: number[] = []
  for await (const { key } of firstRecords(level)) ids.push(documentIdOf(key))
  return ids
}

/** Works out which document has which name, from the name table and from what the documents say of themselves. */
export async function readNames(level: RawLevel, ids: readonly number[]): Promise<Names> {
  const table = new Map<string, number | undefined>()
  for (const record of await readRange(level, nameRange(''))) table.set(nameOf(record.key), decodeNumber(record))
  const owners = new Map<string, number>()
  const nameless = new Set<number>()
  for (const id of ids) {
    const name = (await readMetadata(level, id))?.name
    if (name === undefined) nameless.add(id)
    // Of several with this name, which only a rebuilt database has, the table tells who it is; else it is the newest.
    else if (!owners.has(name) || owners.get(name) !== table.get(name)) owners.set(name, id)
  }
  for (const [name, id] of table) if (id !== undefined && nameless.has(id) && !owners.has(name)) owners.set(name, id)
  return { table, ofId: new Map([...owners].map(([name, id]) => [id, name])) }
}
