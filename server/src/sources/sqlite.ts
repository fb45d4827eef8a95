import { copyFile, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Database } from 'node-sqlite3-wasm'
import { CoeditError } from '../common/errors.ts'
import { isMissing } from '../storage/level/files.ts'
import type { Layout } from './layouts.ts'
import { documentsOf, ordered, type Row } from './rows.ts'
import { unreadable, type Visit } from './source.ts'

/** Beside the database: what was committed but is not in it yet, and what is to be undone where a transaction has no end. */
const WAL = '-wal'
const JOURNAL = '-journal'
const MAX_ATTEMPTS = 20

/**
 * Calls `visit` for each document that a query finds in an SQLite file. It reads a copy, made in the directory `scratch`:
 * the file is not changed.
 * Rejects with STORAGE_BUSY where the file changes while it is copied, and with SOURCE_UNREADABLE where it is no SQLite
 * file, is damaged, was left amid a transaction or refuses the query, and where the package is missing that reads it.
 */
export async function readSqlite(file: string, { query, decode }: Layout, scratch: string, visit: Visit) {
  const sqlite = await loaded()
  const copy = join(scratch, 'source')
  await copyUnchanged(file, copy)
  const database = new sqlite.Database(copy)
  try {
    for await (const document of documentsOf(rowsOf(database, query), decode)) await visit(document)
  } catch (error) {
    if (!(error instanceof sqlite.SQLite3Error)) throw error
    throw unreadable(`SQLite cannot read ${file}: ${error.message}`, error)
  } finally {
    database.close()
  }
}

async function loaded() {
  try {
    return (await import('node-sqlite3-wasm')).default
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error) || error.code !== 'ERR_MODULE_NOT_FOUND') throw error
    throw unreadable('A package is missing that reads SQLite: npm install node-sqlite3-wasm', error)
  }
}

function* rowsOf(database: Database, query: string): Generator<Row, void, undefined> {
  // There is no shared memory here, without which SQLite reads a write-ahead log only so.
  database.exec('PRAGMA locking_mode = EXCLUSIVE')
  const problem = Object.values(database.get('PRAGMA quick_check(1)') ?? {})[0]
  if (problem !== 'ok') throw unreadable(`The SQLite file is damaged: ${String(problem).replaceAll('\n', ' ')}`)
  const statement = database.prepare(ordered(query))
  try {
    for (const { name, data } of statement.iterate()) yield { name, data }
  } finally {
    statement.finalize()
  }
}

async function copyUnchanged(from: string, to: string): Promise<void> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const before = await fingerprint(from)
    await copyFile(from, to)
    await copyIfThere(from + WAL, to + WAL)
    await expectNoTransaction(from)
    if ((await fingerprint(from)) === before) return
  }
  throw new CoeditError('STORAGE_BUSY', `${from} changes too fast to be copied: stop the server that writes it.`)
}

async function copyIfThere(from: string, to: string): Promise<void> {
  await copyFile(from, to).catch((error: unknown) => {
    if (!isMissing(error)) throw error
    // An earlier attempt may have found one.
    return rm(to, { force: true })
  })
}

/** The package would take what a transaction has written so far for what was committed. */
async function expectNoTransaction(file: string): Promise<void> {
  const journal = await readFile(file + JOURNAL).catch((error: unknown) => {
    if (!isMissing(error)) throw error
  })
  // SQLite may leave it for the next transaction, without a header.
  if (!journal || journal.length === 0 || journal[0] === 0) return
  throw unreadable(
    `${file}${JOURNAL} holds a transaction without an end: stop its server, and open it once with sqlite3.`,
  )
}

/** Another one after each write. */
async function fingerprint(file: string): Promise<string> {
  const parts = ['', WAL, JOURNAL].map(async (ending) => {
    const { size, mtimeNs } = await stat(file + ending, { bigint: true }).catch((error: unknown) => {
      if (!isMissing(error)) throw error
      return { size: -1n, mtimeNs: 0n }
    })
    return `${size}@${mtimeNs}`
  })
  return (await Promise.all(parts)).join()
}
