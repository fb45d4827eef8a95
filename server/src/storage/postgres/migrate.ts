import { CoeditError } from '../../common/errors.ts'
import { systemClock } from '../../common/timing.ts'
import { Dialer, type Link } from './link.ts'
import { unreachableError } from './pg-errors.ts'
import { MIGRATIONS } from './schema.ts'
import { targetsOf } from './target.ts'

/** "coedit" in ASCII: whoever migrates holds this advisory lock. */
const LOCK = 0x636f65646974
const VERSION = MIGRATIONS.length

/** Versions of the schema. */
interface Migrated {
  readonly from: number
  readonly to: number
}

/** What the role of a server needs: to read and to write, and nothing else. */
const GRANTS = [
  'GRANT USAGE ON SCHEMA coedit TO',
  'GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA coedit TO',
  'GRANT EXECUTE ON ALL ROUTINES IN SCHEMA coedit TO',
]

/**
 * Brings the schema to this version, where the role may; one of several servers does it, and the others wait.
 * Rejects with STORAGE_VERSION where it is newer, STORAGE_OUTDATED where the role may not, and as the database does.
 */
export async function prepareSchema(link: Link): Promise<void> {
  const version = await versionOf(link)
  if (version === VERSION) return
  if (version > VERSION) throw newerError(version)
  if (!(await mayMigrate(link))) throw outdatedError(version)
  await migrate(link)
}

/** Rejects with STORAGE_MISSING, STORAGE_VERSION or STORAGE_OUTDATED where the schema is not of this version. */
export async function expectSchema(link: Link): Promise<void> {
  const version = await versionOf(link)
  if (version === VERSION) return
  if (version > VERSION) throw newerError(version)
  if (version > 0) throw outdatedError(version)
  throw new CoeditError(
    'STORAGE_MISSING',
    'There is no schema coedit in the database: name the one that has it, or make it with coedit migrate.',
  )
}

/**
 * Brings the schema to this version, and grants the role `grantTo`, unless that is empty, what a server needs. Resolves
 * with the version before and after. Rejects with STORAGE_VERSION where it is newer, and STORAGE_UNREACHABLE.
 */
export async function migrateDatabase(url: string, grantTo: string): Promise<Migrated> {
  const dialer = new Dialer(targetsOf(url, 'migrate'), systemClock)
  try {
    const link = await dialer.dial()
    return await migrate(link, grantTo).finally(() => link.end())
  } catch (error) {
    throw unreachableError(error)
  }
}

function migrate(link: Link, grantTo = ''): Promise<Migrated> {
  return inTransaction(link, async () => {
    await link.query({ text: 'SELECT pg_advisory_xact_lock($1)', values: [LOCK], silenceMs: 600_000 })
    const from = await versionOf(link)
    if (from > VERSION) throw newerError(from)
    if (from === 0) {
      await expectUtf8(link)
      await makeSchema(link)
    }
    for (const text of MIGRATIONS.slice(from)) await link.query({ text, silenceMs: 600_000 })
    if (from < VERSION) await link.query({ text: 'UPDATE coedit.version SET number = $1', values: [VERSION] })
    if (grantTo !== '') await grant(link, grantTo)
    return { from, to: VERSION }
  })
}

/**
 * The version of the schema; 0 where there is none. It is looked for in the catalog itself: `to_regclass` answers out of a
 * cache, which within a transaction does not know what others have made since.
 */
async function versionOf(link: Link): Promise<number> {
  const tables = await link.query({
    text: `SELECT FROM pg_tables WHERE schemaname = 'coedit' AND tablename = 'version'`,
  })
  if (tables.length === 0) return 0
  const [row] = await link.query<{ number: number }>({ text: 'SELECT number FROM coedit.version' })
  return row?.number ?? 0
}

/** Names of documents may hold any character. */
async function expectUtf8(link: Link): Promise<void> {
  const [row] = await link.query<{ encoding: string }>({
    text: `SELECT current_setting('server_encoding') AS encoding`,
  })
  if (row?.encoding === 'UTF8') return
  throw new CoeditError('OPTION_INVALID', `the database has the encoding ${row?.encoding}: expected one with UTF8`)
}

/** Whether the role owns the schema or, where there is none, may make one. */
async function mayMigrate(link: Link): Promise<boolean> {
  const [row] = await link.query<{ may: boolean }>({
    text: `SELECT coalesce(
      (SELECT pg_has_role(nspowner, 'USAGE') FROM pg_namespace WHERE nspname = 'coedit'),
      has_database_privilege(current_database(), 'CREATE')
    ) AS may`,
  })
  return row?.may === true
}

/** Whoever owns a schema need not have the right to make one, which `IF NOT EXISTS` asks for all the same. */
async function makeSchema(link: Link): Promise<void> {
  const schemas = await link.query({ text: `SELECT FROM pg_namespace WHERE nspname = 'coedit'` })
  if (schemas.length === 0) await link.query({ text: 'CREATE SCHEMA coedit' })
  await link.query({ text: 'CREATE TABLE coedit.version (number integer NOT NULL)' })
  await link.query({ text: 'INSERT INTO coedit.version VALUES (0)' })
}

async function grant(link: Link, role: string): Promise<void> {
  const [row] = await link.query<{ role: string }>({ text: 'SELECT quote_ident($1) AS role', values: [role] })
  for (const text of GRANTS) await link.query({ text: `${text} ${row?.role}` })
}

async function inTransaction<T>(link: Link, work: () => Promise<T>): Promise<T> {
  await link.query({ text: 'BEGIN' })
  try {
    const result = await work()
    await link.query({ text: 'COMMIT' })
    return result
  } catch (error) {
    // Where the connection is gone the transaction is, too.
    if (!link.isLost) await link.query({ text: 'ROLLBACK' }).catch(() => undefined)
    throw error
  }
}

function newerError(version: number): CoeditError {
  const message = `The schema coedit of the database has version ${version}, and this coedit knows ${VERSION}: update it.`
  return new CoeditError('STORAGE_VERSION', message)
}

function outdatedError(version: number): CoeditError {
  const found = version === 0 ? 'The database has no schema coedit' : `The schema coedit has version ${version}`
  const message = `${found}, and the role may not bring it to ${VERSION}: run coedit migrate as its owner.`
  return new CoeditError('STORAGE_OUTDATED', message)
}
