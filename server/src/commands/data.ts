import { mkdtemp, rm } from 'node:fs/promises'
import { CoeditError } from '../common/errors.ts'
import { createLog, type Log } from '../common/log.ts'
import type { Config } from '../config/config.ts'
import { holdsDatabase, holdsRecords } from '../storage/level/files.ts'
import { LevelStorage } from '../storage/level/level-storage.ts'
import type { Catalog } from '../storage/storage.ts'

const NAMES_AT_A_TIME = 1_000

export type DataOptions = Pick<Config, 'data' | 'logLevel'>

/**
 * Refuses a directory without a database, which opening would make.
 * @throws CoeditError STORAGE_MISSING
 */
export async function expectDatabase(directory: string): Promise<void> {
  if (!(await holdsDatabase(directory))) throw missingError(directory)
}

/**
 * Refuses a directory without a database, of which parts may be missing.
 * @throws CoeditError STORAGE_MISSING
 */
export async function expectRemains(directory: string): Promise<void> {
  if (!(await holdsRecords(directory))) throw missingError(directory)
}

function missingError(directory: string): CoeditError {
  const message = `There is no database in the directory ${directory}: name the one that has it.`
  return new CoeditError('STORAGE_MISSING', message)
}

/** Opens the database, which nobody else may have open, and closes it after `use`. Rejects as `Storage.open` does. */
export async function withStorage<T>(
  { data, logLevel }: DataOptions,
  use: (storage: LevelStorage, log: Log) => Promise<T>,
): Promise<T> {
  const log = createLog(logLevel)
  const storage = new LevelStorage({ directory: data, log })
  await storage.open()
  try {
    return await use(storage, log)
  } finally {
    await storage.close()
  }
}

/** A directory `PREFIX-…` that is removed after `use`. */
export async function withScratch<T>(prefix: string, use: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(`${prefix}-`)
  try {
    return await use(directory)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

/** The names of all documents, in byte order. */
export async function* namesIn(catalog: Catalog): AsyncGenerator<string, void, undefined> {
  let names = await catalog.list('', undefined, NAMES_AT_A_TIME)
  while (names.length > 0) {
    yield* names
    names = await catalog.list('', names.at(-1), NAMES_AT_A_TIME)
  }
}
