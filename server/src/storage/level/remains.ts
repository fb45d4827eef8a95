import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CURRENT, isRecords } from './files.ts'

/** How LevelDB notes in its own log that it could not read a part of its records' log, and went on without it. */
const DROPPED = /: dropping (\d+) bytes/g

/**
 * What the database in the directory lacks to be found: CURRENT, which names the manifest, or the manifest, which names
 * all else. Undefined where they are there, or nothing is. LevelDB itself must not be asked: without CURRENT it makes a
 * new database and deletes the tables of the old one (measured).
 */
export async function findMissingRoot(directory: string): Promise<string | undefined> {
  const files = await namesIn(directory)
  if (!files.some(isRecords)) return undefined
  if (!files.includes(CURRENT)) return 'CURRENT is missing'
  const manifest = (await readFile(join(directory, CURRENT), 'utf8')).trimEnd()
  return files.includes(manifest) ? undefined : `CURRENT names '${manifest}', which is missing`
}

/** How many bytes of its log LevelDB could not read when it opened the directory. It tells nobody else. */
export async function droppedBytes(directory: string): Promise<number> {
  const notes = await readFile(join(directory, 'LOG'), 'utf8')
  return [...notes.matchAll(DROPPED)].reduce((sum, [, bytes]) => sum + Number(bytes), 0)
}

/** Gives no names where the directory cannot be read: opening it fails on the same, and says it better. */
async function namesIn(directory: string): Promise<readonly string[]> {
  try {
    return await readdir(directory)
  } catch {
    return []
  }
}
