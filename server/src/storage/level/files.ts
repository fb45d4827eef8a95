import { open, readdir } from 'node:fs/promises'

/** Names the manifest that is in force. LevelDB replaces it in one step. */
export const CURRENT = 'CURRENT'
export const MANIFEST = 'MANIFEST-'
/** Tables and logs: what holds records. */
const RECORDS = /^\d+\.(ldb|sst|log)$/

export function isManifest(name: string): boolean {
  return name.startsWith(MANIFEST)
}

export function isRecords(name: string): boolean {
  return RECORDS.test(name)
}

/** Whether there is a LevelDB database in the directory. */
export async function holdsDatabase(directory: string): Promise<boolean> {
  return (await namesIn(directory)).includes(CURRENT)
}

/** Whether there are tables or logs in the directory, be there a database that can be opened or not. */
export async function holdsRecords(directory: string): Promise<boolean> {
  return (await namesIn(directory)).some(isRecords)
}

/** None where there is no directory. */
export async function namesIn(directory: string): Promise<readonly string[]> {
  try {
    return await readdir(directory)
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}

/** Makes durable which files a directory has. Windows does so by itself, and refuses to be asked. */
export async function syncDirectory(directory: string): Promise<void> {
  if (process.platform === 'win32') return
  const handle = await open(directory)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Whether a file or directory is not there. */
export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}
