import { copyFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  CURRENT,
  holdsDatabase,
  isManifest,
  isRecords,
  MANIFEST,
  namesIn,
  syncDirectory,
} from '../storage/level/files.ts'

/**
 * Puts the files of a database in the place of another's, which are moved to `before`. All three directories are of one
 * file system. Wherever it is cut off, CURRENT stands and names a manifest that is there only with all that it needs:
 * without CURRENT, LevelDB would make an empty database.
 */
export async function replaceDatabase(directory: string, fresh: string, before: string): Promise<void> {
  const current = join(directory, CURRENT)
  if (await holdsDatabase(directory)) await copyFile(current, join(before, CURRENT))
  else await writeFile(current, `${MANIFEST}000000\n`, { flush: true })
  await moveFiles(directory, before, [isManifest, isRecords])
  await moveFiles(fresh, directory, [isRecords, isManifest])
  await rename(join(fresh, CURRENT), current)
  await syncDirectory(directory)
}

async function moveFiles(from: string, to: string, kinds: readonly ((name: string) => boolean)[]): Promise<void> {
  const names = await namesIn(from)
  for (const isOfKind of kinds) {
    for (const name of names.filter(isOfKind)) await rename(join(from, name), join(to, name))
    await syncDirectory(to)
    await syncDirectory(from)
  }
}
