import { open, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { entryKey } from '../../server/src/storage/level/keys.ts'
import { storedDocument } from './stored-document.ts'

/** An update longer than this ends a block of a table. */
export const BLOCK_BYTES = 4_096

/** Brings what is in the log of a database into a table, as the next start of a server does. */
export async function settle(data: string): Promise<void> {
  await storedDocument(data, 'any')
}

/**
 * Flips one bit in the table of a database, whoever has it open, so that LevelDB cannot read the block in which an entry
 * is: the last bit of the length of its value, which then goes on into the key. It must begin its block: so does each
 * entry of BLOCK_BYTES but the first of a document.
 */
export function damageEntry(data: string, id: number, seq: number): Promise<void> {
  return flipBeside(data, id, seq, -1)
}

/** Flips one bit in the key of an entry, which is behind those of all other documents then. */
export function damageKey(data: string, id: number, seq: number): Promise<void> {
  return flipBeside(data, id, seq, 0)
}

/** Flips the highest bit of a byte, which is counted from the beginning of the entry's key. */
async function flipBeside(data: string, id: number, seq: number, offset: number): Promise<void> {
  for (const name of (await readdir(data)).filter((file) => file.endsWith('.ldb'))) {
    const path = join(data, name)
    const table = await readFile(path)
    const at = table.indexOf(entryKey(id, seq))
    if (at >= 0) return writeByte(path, at + offset, table[at + offset] ^ 0x80)
  }
  throw new Error(`no table in ${data} has entry ${seq} of document ${id}`)
}

async function writeByte(path: string, at: number, byte: number): Promise<void> {
  const file = await open(path, 'r+')
  try {
    await file.write(Uint8Array.of(byte), 0, 1, at)
  } finally {
    await file.close()
  }
}
