import type { Client } from 'pg'
import { stateOf, unreachableError } from '../storage/postgres/pg-errors.ts'
import { invalidUrl, type Target, targetsOf } from '../storage/postgres/target.ts'
import type { Layout } from './layouts.ts'
import { documentsOf, ordered, type Row } from './rows.ts'
import { unreadable, type Visit } from './source.ts'

/** Each may be a whole document. */
const ROWS_AT_A_TIME = 16

/**
 * Calls `visit` for each document that a query on PostgreSQL finds, as all were at one moment. It changes nothing there,
 * and reads from a standby as well. Rejects with STORAGE_UNREACHABLE, OPTION_INVALID, and with SOURCE_UNREADABLE where
 * the database refuses the query.
 */
export async function readPostgres(url: string, { query, decode }: Layout, visit: Visit): Promise<void> {
  const client = await connected(targetsOf(url, 'import'))
  try {
    await client.query('BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY')
    for await (const document of documentsOf(rowsOf(client, query), decode)) await visit(document)
  } finally {
    await client.end()
  }
}

async function* rowsOf(client: Client, query: string): AsyncGenerator<Row, void, undefined> {
  await asked(client, `DECLARE source_rows NO SCROLL CURSOR FOR ${ordered(query)}`)
  let rows: readonly Row[]
  do {
    rows = await asked(client, `FETCH ${ROWS_AT_A_TIME} FROM source_rows`)
    yield* rows
  } while (rows.length === ROWS_AT_A_TIME)
}

async function asked(client: Client, text: string): Promise<readonly Row[]> {
  try {
    const { rows } = await client.query<{ name: unknown; data: unknown }>(text)
    return rows
  } catch (error) {
    if (!(error instanceof Error) || stateOf(error) === undefined) throw unreachableError(error)
    throw unreadable(`The database refuses the query: ${error.message}`, error)
  }
}

/** A connection to the first of the hosts that takes one. */
async function connected(targets: readonly Target[]): Promise<Client> {
  const reasons: unknown[] = []
  for (const target of targets) {
    const client = await newClient(target)
    // Whatever befalls the connection is told to the statement under way.
    client.on('error', () => undefined)
    try {
      await client.connect()
      return client
    } catch (error) {
      reasons.push(error)
    }
  }
  throw unreachableError(reasons.length === 1 ? reasons[0] : new AggregateError(reasons))
}

async function newClient({ config }: Target): Promise<Client> {
  const pg = await import('pg')
  try {
    return new pg.Client(config)
  } catch (error) {
    throw invalidUrl(error)
  }
}
