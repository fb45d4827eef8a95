import { CoeditError } from '../../common/errors.ts'
import type { Log } from '../../common/log.ts'
import type { Database, Operation } from './database.ts'
import { DOCUMENTS, FORMAT_KEY, nameRange, REVOCATIONS } from './keys.ts'
import { readLast } from './read-range.ts'
import { decodeNumber, decodeTime, encodeNumber } from './records.ts'

/** Rewrites a directory from the version at its index + 1 to the next one; ends by writing that version's record. */
type Migration = (database: Database) => Promise<void>

const MIGRATIONS: readonly Migration[] = [
  // Entries may tell who wrote them, which programs of the first version would take for a part of the update.
  (database) => database.write([putVersion(2)]),
]

/** The version of keys.ts and records.ts. */
const FORMAT_VERSION = MIGRATIONS.length + 1

/**
 * Makes a new directory one of this format, and an older one of this format. Rejects with STORAGE_VERSION for a newer
 * one, and with STORAGE_DAMAGED for a database that is none of coedit's.
 */
export async function prepareFormat(database: Database, directory: string, log: Log): Promise<void> {
  const version = (await readVersion(database)) ?? (await versionWithoutRecord(database, directory, log))
  if (version > FORMAT_VERSION) {
    const message =
      `The data in ${directory} has format version ${version}, this program knows up to ${FORMAT_VERSION}: ` +
      'use the coedit version that wrote it, or a newer one.'
    throw new CoeditError('STORAGE_VERSION', message)
  }
  for (const migrate of MIGRATIONS.slice(version - 1)) await migrate(database)
}

async function readVersion(database: Database): Promise<number | undefined> {
  const value = await database.read((level) => level.get(FORMAT_KEY))
  return value && decodeNumber({ key: FORMAT_KEY, value })
}

/** No version record, or a damaged one: the directory is new, or its other records tell whose it is. */
async function versionWithoutRecord(database: Database, directory: string, log: Log): Promise<number> {
  const [name, documentRecord, revocation, keys] = await database.read((level) =>
    Promise.all([
      readLast(level, nameRange('')),
      readLast(level, DOCUMENTS),
      readLast(level, REVOCATIONS),
      level.keys({ limit: 1 }).all(),
    ]),
  )
  const isNew = keys.length === 0
  const hasDocuments = name !== undefined && documentRecord !== undefined && decodeNumber(name) !== undefined
  const isOurs = hasDocuments || (revocation !== undefined && decodeTime(revocation) !== undefined)
  if (!isNew && !isOurs) {
    const message =
      `${directory} holds a database that is not one of coedit's, or is damaged at its start: ` +
      'choose another directory, or restore a backup.'
    throw new CoeditError('STORAGE_DAMAGED', message)
  }
  if (isOurs) log.error({ directory }, 'the format version record was damaged; it is written anew')
  await database.write([putVersion(FORMAT_VERSION)])
  return FORMAT_VERSION
}

function putVersion(version: number): Operation {
  return { type: 'put', key: FORMAT_KEY, value: encodeNumber(FORMAT_KEY, version) }
}
