import { link, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Level } from 'level'
import { openingError } from '../storage/level/level-errors.ts'

/** The file that LevelDB locks. */
const LOCK = 'LOCK'

/**
 * Runs `use` while no other process can open the database, without opening it: LevelDB rewrites what it opens, and its
 * own repair takes no lock. The lock is on the file, so another database lends its hand whose LOCK is the same file. Symbolic
 * links would do as well, but on Windows not everybody may make them.
 * Rejects with STORAGE_LOCKED, STORAGE_UNWRITABLE.
 */
export async function withLock<T>(directory: string, use: () => Promise<T>): Promise<T> {
  const scratch = await mkdtemp(join(directory, 'lock-'))
  try {
    await writeFile(join(directory, LOCK), '', { flag: 'a' })
    await link(join(directory, LOCK), join(scratch, LOCK))
    const level = new Level(scratch)
    await level.open().catch((error: unknown) => {
      throw openingError(directory, error)
    })
    try {
      return await use()
    } finally {
      await level.close()
    }
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}
