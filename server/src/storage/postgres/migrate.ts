import { CoeditError } from '../../common/errors.ts'
import type { Link } from './link.ts'
import { MIGRATIONS } from './schema.ts'

/** "coedit" in ASCII: whoever migrates holds this advisory lock. */
const LOCK = 0x636f65646974
const VERSION = MIGRATIONS.length

/** What the role of a server needs: to read and to write, and nothing else. */
const GRANTS = [
  'GRANT USAGE ON SCHEMA coedit TO',
  'GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA coedit TO',
  'GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA coedit TO',
]

/**
 * Brings the schema to this version, where the role may; one of several servers does it, and the others wait.
 * Rejects with STORAGE_VERSION where it is newer, STORAGE_OUTDATED where the role may not, and as the database does.
 */
export async function prepareSchema(link: Link): Promise<void> {
  const version = await versionOf(link)
  if (version === VERSION) return
  if (version > VERSION) throw newerError(version)
  if (!(await mayMigrate(link, version))) throw outdatedError(version)
  await migrate(link)
}

/**
 * Brings the schema to this version, and grants the role `grantTo`, unless that is empty, what a server needs. Resolves
 * with the version before and after. Rejects with STORAGE_VERSION where it is newer, and as the database does.
 */
export function migrate(link: Link, grantTo = ''): Promise<{ from: number; to: number }> {
  return inTransaction(link, async () => {
    await link.query({ text: 'SELECT pg_advisory_xact_lock($1)', values: [LOCK], silenceMs: 600_000 })
    const from = await versionOf(link)
    if (from > VERSION) throw newerError(from)
    if (from === 0) {
      await link.query({ text: 'CREATE SCHEMA IF NOT EXISTS coedit' })
      await link.query({ text: 'CREATE TABLE coedit.version (number integer NOT NULL)' })
      await link.query({ text: 'INSERT INTO coedit.version VALUES (0)' })
    }
    for (const text of MIGRATIONS.slice(from)) await link.query({ text, silenceMs: 600_000 })
    if (from < VERSION) await link.query({ text: 'UPDATE coedit.version SET number = $1', values: [VERSION] })
    if (grantTo !== '') await grant(link, grantTo)
    return { from, to: VERSION }
  })
}

/** The version of the schema; 0 where there is none. */
async function versionOf(link: Link): Promise<number> {
  const [found] = await link.query<{ exists: boolean }>({
    text: `SELECT to_regclass('coedit.version') IS NOT NULL AS exists`,
  })
  if (!found?.exists) return 0
  const [row] = await link.query<{ number: number }>({ text: 'SELECT number FROM coedit.version' })
  return row?.number ?? 0
}

/** Whether the role owns the schema or, where there is none, may make one. */
async function mayMigrate(link: Link, version: number): Promise<boolean> {
  const right =
    version === 0
      ? `has_database_privilege(current_database(), 'CREATE')`
      : `(SELECT pg_has_role(nspowner, 'USAGE') FROM pg_namespace WHERE nspname = 'coedit')`
  const [row] = await link.query<{ may: boolean }>({ text: `SELECT ${right} AS may` })
  return row?.may === true
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
