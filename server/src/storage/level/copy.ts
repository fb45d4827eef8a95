import { createWriteStream } from 'node:fs'
import { type FileHandle, mkdir, open, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { CoeditError } from '../../common/errors.ts'
import { CURRENT, isMissing, isRecords, syncDirectory } from './files.ts'
import { findMissingRoot } from './remains.ts'

/** Only a database that never pauses for a millisecond needs more than a few. */
const MAX_ATTEMPTS = 1_000

/** Which version of the database was in force: each change to its set of files makes the manifest grow. */
interface Version {
  readonly manifest: string
  readonly bytes: number
}

/**
 * Copies a LevelDB directory, also one that another process writes to at the same time: the copy holds every write that
 * was made before, and of those made meanwhile a first part, each whole or not at all. `to` must not exist.
 *
 * That takes no help of the writer. Tables never change. Logs and the manifest only grow, and a prefix of a log is what
 * LevelDB finds after a crash. A file is removed only after the manifest has grown. So all files that belong to a
 * version are there when the manifest is the same before they were opened and after it; what is open can be read
 * although it is removed. Copying without that look could miss a log, which LevelDB does not notice.
 *
 * Rejects with STORAGE_BUSY, STORAGE_DAMAGED.
 */
export async function copyDatabase(from: string, to: string): Promise<void> {
  const files = new Map<string, FileHandle>()
  try {
    const { manifest, bytes } = await openVersion(from, files)
    await mkdir(to, { mode: 0o700 })
    for (const [name, file] of files) {
      await copyStart(file, name === manifest ? bytes : await sizeOf(file), join(to, name))
    }
    await writeFile(join(to, CURRENT), `${manifest}\n`, { flush: true })
    await syncDirectory(to)
  } finally {
    await closeAll(files)
  }
}

/** Opens all files of one version. */
async function openVersion(directory: string, files: Map<string, FileHandle>): Promise<Version> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const before = await readVersion(directory)
    if (!before) continue
    // The numbers of files are not used twice while the manifest has one name.
    if (!files.has(before.manifest)) await closeAll(files)
    const areAllThere = await openMissing(directory, before.manifest, files)
    const after = await readVersion(directory)
    if (areAllThere && after?.manifest === before.manifest && after.bytes === before.bytes) return before
  }
  const missing = await findMissingRoot(directory)
  if (missing) throw new CoeditError('STORAGE_DAMAGED', `The database in ${directory} cannot be copied: ${missing}.`)
  throw new CoeditError('STORAGE_BUSY', `The files of ${directory} change too fast to be copied: try again later.`)
}

/** Undefined where it was replaced in the same moment. */
async function readVersion(directory: string): Promise<Version | undefined> {
  try {
    const manifest = (await readFile(join(directory, CURRENT), 'utf8')).trim()
    return { manifest, bytes: (await stat(join(directory, manifest))).size }
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

/** Resolves false where a file was removed before it was opened. */
async function openMissing(directory: string, manifest: string, files: Map<string, FileHandle>): Promise<boolean> {
  const records = (await readdir(directory)).filter(isRecords)
  try {
    for (const name of [manifest, ...records]) {
      if (!files.has(name)) files.set(name, await open(join(directory, name)))
    }
    return true
  } catch (error) {
    if (isMissing(error)) return false
    throw error
  }
}

async function copyStart(file: FileHandle, bytes: number, to: string): Promise<void> {
  if (bytes === 0) return writeFile(to, '', { flag: 'wx', flush: true })
  const start = file.createReadStream({ start: 0, end: bytes - 1, autoClose: false })
  await pipeline(start, createWriteStream(to, { flags: 'wx', flush: true }))
}

async function sizeOf(file: FileHandle): Promise<number> {
  return (await file.stat()).size
}

async function closeAll(files: Map<string, FileHandle>): Promise<void> {
  const handles = [...files.values()]
  files.clear()
  await Promise.all(handles.map((handle) => handle.close()))
}
