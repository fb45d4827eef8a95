import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { systemClock } from '../../server/src/common/timing.ts'
import { Dialer } from '../../server/src/storage/postgres/link.ts'
import { migrateDatabase } from '../../server/src/storage/postgres/migrate.ts'
import { PostgresStorage, type PostgresStorageOptions } from '../../server/src/storage/postgres/postgres-storage.ts'
import { checkServer } from '../../server/src/storage/postgres/self-test.ts'
import { targetsOf } from '../../server/src/storage/postgres/target.ts'
import { afterTests } from '../support/after-tests.ts'
import { recordingLog } from '../support/log.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { findPgBouncer, NO_PGBOUNCER, startPgBouncer } from '../support/pgbouncer.ts'
import { findPostgres, NO_POSTGRES, type PostgresServer, startPostgres } from '../support/postgres.ts'

const release = onTestFinished
const update = Uint8Array.of(1)

/** A storage that is open until the test ends, and what it logs. */
async function opened(options: Partial<PostgresStorageOptions> & { readonly url: string }) {
  const { log, lines } = recordingLog()
  const storage = new PostgresStorage({ log, ...options })
  await storage.open()
  release(() => storage.close())
  return { storage, lines }
}

if (findPostgres() === undefined)
  test('what a server finds of PostgreSQL as it starts', ({ skip }) => skip(NO_POSTGRES))
else withPostgres(await startPostgres(afterTests()))

function withPostgres(postgres: PostgresServer): void {
  /** A role that may log in, and nothing else, and the URL for it. */
  const newRole = async (url: string, name: string) => {
    await postgres.execute(postgres.url('postgres'), `CREATE ROLE ${name} LOGIN`)
    return { role: name, asRole: url.replace('postgres@', `${name}@`) }
  }

  test('a server that is too old is refused by STORAGE_UNSUITABLE', async () => {
    const dialer = new Dialer(targetsOf(await postgres.newDatabase(), 'test'), systemClock)
    const link = await dialer.dial()
    release(() => link.end())
    await checkServer(link)
    const refused = { code: 'STORAGE_UNSUITABLE', message: expect.stringContaining('expected 99 or newer') }
    await expect(checkServer(link, 990_000)).rejects.toMatchObject(refused)
  })

  test('a statement with a name is parsed once, but by each process behind a pool anew', async ({ skip }) => {
    const url = await postgres.newDatabase()
    const prepared = async (address: string) => {
      const link = await new Dialer(targetsOf(address, 'test'), systemClock).dial()
      release(() => link.end())
      for (const value of [1, 2]) {
        const statement = { name: 'sum', text: 'SELECT $1::integer + 1 AS sum', values: [value] }
        expect(await link.query(statement)).toEqual([{ sum: value + 1 }])
      }
      const names = await link.query<{ name: string }>({ text: 'SELECT name FROM pg_prepared_statements' })
      return names.map(({ name }) => name)
    }
    expect(await prepared(url)).toEqual(['sum'])
    if (findPgBouncer() === undefined) skip(NO_PGBOUNCER)
    expect(await prepared(await startPgBouncer(release, url))).toEqual([])
  })

  test('a role that may not do all that a server does is refused by STORAGE_DENIED, which names what', async () => {
    const url = await postgres.newDatabase()
    await migrateDatabase(url, '')
    const { role, asRole } = await newRole(url, 'half')
    await expect(opened({ url: asRole })).rejects.toMatchObject({ code: 'STORAGE_DENIED' })
    await expect(opened({ url: asRole, serves: false })).rejects.toMatchObject({ code: 'STORAGE_DENIED' })
    await migrateDatabase(url, role)
    await opened({ url: asRole })
    await postgres.execute(url, `REVOKE DELETE ON coedit.entries FROM ${role}`)
    await postgres.execute(
      url,
      `REVOKE ALL ON ALL FUNCTIONS IN SCHEMA coedit FROM public;
       REVOKE EXECUTE ON FUNCTION coedit.remove(text) FROM ${role}`,
    )
    const message = expect.stringMatching(/ function remove, table entries: /)
    await expect(opened({ url: asRole })).rejects.toMatchObject({ code: 'STORAGE_DENIED', message })
  })

  test('a database that may run out of connections is told of in the log', async () => {
    const url = await postgres.newDatabase()
    const { role, asRole } = await newRole(url, 'few')
    await migrateDatabase(url, role)
    await postgres.execute(url, `ALTER ROLE ${role} CONNECTION LIMIT 11`)
    const clock = new ManualClock()
    const first = await opened({ url: asRole, clock })
    await clock.hasTimerOf(5_000)
    expect(first.lines).toEqual([])
    const second = await opened({ url: asRole })
    expect(second.lines).toEqual([
      expect.objectContaining({ level: 'warn', facts: { allowed: 11, needed: 14, servers: 2 } }),
    ])
  })

  if (findPgBouncer() === undefined) test('a pool by transaction', ({ skip }) => skip(NO_PGBOUNCER))
  else {
    test('a pool by transaction does for all but listening, of which the log tells', async () => {
      const url = await startPgBouncer(release, await postgres.newDatabase())
      const clock = new ManualClock()
      const { storage, lines } = await opened({ url, clock })
      const [{ incarnation }] = await storage.append([{ document: 'a', update, base: 0, cursors: ['change'] }])
      const snapshot = { seq: 1, chunks: [update], stateVector: null, deleteSet: null }
      expect(await storage.compact('a', { snapshot, replaces: 0, incarnation })).toBe(true)
      expect(await storage.cursors.claim('change', 'a')).toEqual({ seq: 0 })
      expect(await storage.cursors.advance('change', 'a', 1, incarnation)).toBe('told')
      await clock.hasTimerOf(5_000)
      clock.advance(5_000)
      expect(lines).toEqual([
        expect.objectContaining({ level: 'error', message: expect.stringContaining('databaseDirect') }),
      ])
    })

    test('beside a pool by transaction databaseDirect lets it listen', async () => {
      const directUrl = await postgres.newDatabase()
      const url = await startPgBouncer(release, directUrl)
      const clock = new ManualClock()
      const { storage, lines } = await opened({ url, directUrl, clock })
      await clock.hasTimerOf(5_000)
      while (clock.pending.includes(5_000)) await nextTurn()
      const { storage: other } = await opened({ url, directUrl })
      const heard = new Promise<number | undefined>((resolve) => {
        storage.follow('a', 0, ({ entries }) => resolve(entries[0]?.seq))
      })
      await other.append([{ document: 'a', update, base: 0 }])
      expect(await heard).toBe(1)
      expect(lines).toEqual([])
    })
  }
}
