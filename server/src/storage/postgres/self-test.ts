import { CoeditError } from '../../common/errors.ts'
import type { Log } from '../../common/log.ts'
import type { Link } from './link.ts'
import { deniedError } from './pg-errors.ts'

/** As `server_version_num`: older ones get no fixes any more. */
const MIN_VERSION = 140_000
/** Connections of one server at most: one that appends, one that listens, and those that read and notify. */
export const MAX_CONNECTIONS = 7

/** Rejects with STORAGE_UNSUITABLE where the database server is older than coedit was ever tried with. */
export async function checkServer(link: Link, minVersion = MIN_VERSION): Promise<void> {
  const [row] = await link.query<{ number: number; text: string }>({
    text: `SELECT current_setting('server_version_num')::integer AS number, current_setting('server_version') AS text`,
  })
  if (row && row.number >= minVersion) return
  const message = `PostgreSQL ${row?.text} is too old: expected ${Math.floor(minVersion / 10_000)} or newer.`
  throw new CoeditError('STORAGE_UNSUITABLE', message)
}

/** Rejects with STORAGE_DENIED where the role may not do with a table or a function what a server does. */
export async function checkRights(link: Link): Promise<void> {
  const denied = await link.query<{ name: string }>({ text: DENIED })
  if (denied.length > 0) throw deniedError(denied.map(({ name }) => name).join(', '))
}

/** Says in the log what will do harm some day. */
export async function tellRisks(link: Link, log: Log): Promise<void> {
  const settings = await link.query<{ name: string }>({ text: UNSAFE_SETTINGS })
  if (settings.length > 0) {
    const message = 'settings of the database are off: a crash of it may lose what was acknowledged'
    log.error({ settings: settings.map(({ name }) => name) }, message)
  }
  const [room] = await link.query<Room>({ text: ROOM })
  if (room && room.needed > room.allowed) {
    const { allowed, needed, servers } = room
    log.warn(
      { allowed, needed, servers },
      'the database may run out of connections: raise max_connections or pool them',
    )
  }
}

const DENIED = `
SELECT 'table ' || tablename AS name FROM pg_tables WHERE schemaname = 'coedit' AND tablename <> 'version'
  AND NOT (SELECT bool_and(has_table_privilege(quote_ident(schemaname) || '.' || quote_ident(tablename), need))
    FROM unnest('{SELECT,INSERT,UPDATE,DELETE}'::text[]) AS need)
UNION ALL
SELECT DISTINCT 'function ' || proname FROM pg_proc
  WHERE pronamespace = 'coedit'::regnamespace AND NOT has_function_privilege(oid, 'EXECUTE')
ORDER BY name`

/** What is acknowledged is to outlive a crash of the database. */
const UNSAFE_SETTINGS = `
SELECT name FROM pg_settings WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit') AND setting = 'off'`

interface Room {
  /** How many connections there may be. */
  readonly allowed: number
  /** How many there may come to be. */
  readonly needed: number
  readonly servers: number
}

/** This server, those that listen already, and what others have open. */
const ROOM = `
WITH activity AS (
  SELECT count(*) FILTER (WHERE application_name = 'coedit listen') + 1 AS servers,
    count(*) FILTER (WHERE application_name NOT LIKE 'coedit %') AS others
  FROM pg_stat_activity WHERE backend_type = 'client backend'
), limits AS (
  SELECT least(
    current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer,
    (SELECT nullif(datconnlimit, -1) FROM pg_database WHERE datname = current_database()),
    (SELECT nullif(rolconnlimit, -1) FROM pg_roles WHERE rolname = current_user)
  ) AS allowed
)
SELECT allowed, (servers * ${MAX_CONNECTIONS} + others)::integer AS needed, servers::integer FROM activity, limits`
