import { access, mkdtemp, rm } from 'node:fs/promises'
import { CoeditError } from '../common/errors.ts'
import { createLog, type Log } from '../common/log.ts'
import type { Clock } from '../common/timing.ts'
import type { Config } from '../config/config.ts'
import type { Catalog, DeletedDocument } from '../storage/catalog.ts'
import { engineOf } from '../storage/engine.ts'
import { holdsDatabase, holdsRecords } from '../storage/level/files.ts'
import { LevelStorage } from '../storage/level/level-storage.ts'
import type { Storage } from '../storage/storage.ts'

const NAMES_AT_A_TIME = 1_000

export type DataOptions = Pick<Config, 'data' | 'logLevel'>
export type StorageOptions = DataOptions & Pick<Config, 'database'>

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

/**
 * Refuses a path where there is something.
 * @throws CoeditError DESTINATION_EXISTS
 */
export async function expectNothing(path: string): Promise<void> {
  const exists = await access(path).then(
    () => true,
    () => false,
  )
  if (exists) throw new CoeditError('DESTINATION_EXISTS', `${path} exists: name a directory that does not.`)
}

/**
 * Refuses PostgreSQL to a command that is about LevelDB's files.
 * @throws CoeditError OPTION_INVALID
 */
export function expectDirectory({ database }: StorageOptions, instead: string): void {
  if (database === '') return
  throw new CoeditError(
    'OPTION_INVALID',
    `This is about the files in a directory (--data), not a database: ${instead}.`,
  )
}

/**
 * Opens what holds the documents, and closes it after `use`. Nobody else may have a directory open, which is made where
 * there is none. Rejects as `Storage.open` does.
 */
export function withStorage<T>(
  options: StorageOptions,
  use: (storage: Storage, log: Log) => Promise<T>,
  clock?: Clock,
): Promise<T> {
  const log = createLog(options.logLevel)
  return opened(engineOf(options, { log, serves: false, ...(clock && { clock }) }), (storage) => use(storage, log))
}

/** The same where there are documents already. Rejects with STORAGE_MISSING, too. */
export async function withDocuments<T>(
  options: StorageOptions,
  use: (storage: Storage, log: Log) => Promise<T>,
): Promise<T> {
  if (options.database === '') await expectDatabase(options.data)
  return withStorage(options, use)
}

/** The same with a directory. */
export function withDirectory<T>({ data, logLevel }: DataOptions, use: (storage: LevelStorage) => Promise<T>) {
  return opened(new LevelStorage({ directory: data, log: createLog(logLevel) }), use)
}

async function opened<Engine extends Storage, T>(storage: Engine, use: (storage: Engine) => Promise<T>): Promise<T> {
  await storage.open()
  try {
    return await use(storage)
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

/** All documents that are deleted, in byte order. */
export async function* deletedIn(catalog: Catalog): AsyncGenerator<DeletedDocument, void, undefined> {
  let deleted = await catalog.listDeleted(undefined, NAMES_AT_A_TIME)
  while (deleted.length > 0) {
    yield* deleted
    deleted = await catalog.listDeleted(deleted.at(-1)?.document, NAMES_AT_A_TIME)
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
