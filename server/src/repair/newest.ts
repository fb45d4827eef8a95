import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isSealed, type RawRecord } from '../storage/level/records.ts'
import { salvageLog } from './level-log.ts'
import type { Salvaged } from './record.ts'
import { salvageTable } from './table.ts'

const TABLE = /^\d+\.(ldb|sst)$/
const LOG = /^\d+\.log$/

export interface FilesFound {
  readonly files: number
  readonly damaged: number
}

/**
 * Reads what can be read of all tables and logs of a database, in whatever state they are and without LevelDB, which
 * fails on an assertion, and takes the process along, where a damaged table has its keys in the wrong order (measured).
 * Calls `visit` for the newest value of each key that was not removed, some of them more than once.
 *
 * It reads everything twice, so that only keys are kept in memory: some 150 bytes a record.
 */
export async function salvageNewest(
  directory: string,
  visit: (record: RawRecord) => Promise<void>,
): Promise<FilesFound> {
  const names = (await readdir(directory)).filter((name) => TABLE.test(name) || LOG.test(name))
  const newest = new Map<string, number>()
  let damaged = 0
  for (const name of names) {
    const { writes, isIntact } = await salvageFile(directory, name)
    if (!isIntact) damaged++
    for (const { key, sequence } of writes) {
      const text = asText(key)
      newest.set(text, Math.max(sequence, newest.get(text) ?? 0))
    }
  }
  for (const name of names) await visitNewest(await salvageFile(directory, name), newest, visit)
  return { files: names.length, damaged }
}

async function visitNewest(
  { writes, doubtful }: Salvaged,
  newest: ReadonlyMap<string, number>,
  visit: (record: RawRecord) => Promise<void>,
): Promise<void> {
  for (const { key, value, sequence } of writes) {
    if (value && newest.get(asText(key)) === sequence) await visit({ key, value })
  }
  for (const { key, value } of doubtful) {
    // If the record's own checksum holds, only its sequence is in doubt, which matters only where the key has others.
    if (value && !newest.has(asText(key)) && isSealed({ key, value })) await visit({ key, value })
  }
}

async function salvageFile(directory: string, name: string): Promise<Salvaged> {
  const bytes = await readFile(join(directory, name))
  return TABLE.test(name) ? salvageTable(bytes) : salvageLog(bytes)
}

function asText(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.length).toString('latin1')
}
