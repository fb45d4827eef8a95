import { expect, onTestFinished, test } from 'vitest'
import { CoeditError } from '../../server/src/common/errors.ts'
import { migrateDatabase } from '../../server/src/storage/postgres/migrate.ts'
import { PostgresStorage } from '../../server/src/storage/postgres/postgres-storage.ts'
import { MIGRATIONS } from '../../server/src/storage/postgres/schema.ts'
import { targetsOf } from '../../server/src/storage/postgres/target.ts'
import { afterTests } from '../support/after-tests.ts'
import { recordingLog } from '../support/log.ts'
import { makeCertificate } from '../support/nginx.ts'
import { findPostgres, NO_POSTGRES, type PostgresServer, startPostgres } from '../support/postgres.ts'

const update = Uint8Array.of(1)

/** Opens a storage, to be closed after the test. */
async function opened(url: string, serves = true): Promise<PostgresStorage> {
  const storage = new PostgresStorage({ url, serves })
  await storage.open()
  onTestFinished(() => storage.close())
  return storage
}

test('a URL names several hosts, and whatever else pg knows', () => {
  const hosts = targetsOf('postgresql://me:p%40ss@one:1,two,[::1]:3/name?sslmode=verify-full', 'test')
  expect(hosts.map(({ config }) => config.connectionString)).toEqual([
    'postgresql://me:p%40ss@one:1/name?sslmode=verify-full',
    'postgresql://me:p%40ss@two/name?sslmode=verify-full',
    'postgresql://me:p%40ss@[::1]:3/name?sslmode=verify-full',
  ])
  expect(() => targetsOf('mysql://me@one/name', 'test')).toThrow(CoeditError)
})

if (findPostgres() === undefined) test('the schema in PostgreSQL', ({ skip }) => skip(NO_POSTGRES))
else {
  withPostgres(await startPostgres(afterTests()))

  test('TLS is as pg has it: whoever is to be verified is', async () => {
    const certificate = await makeCertificate(onTestFinished)
    const postgres = await startPostgres(onTestFinished, { certificate })
    const url = await postgres.newDatabase()
    const verified = await opened(`${url}?sslmode=verify-full&sslrootcert=${certificate.path}`)
    await verified.append([{ document: 'a', update, base: 0 }])
    const encrypted = await postgres.execute(
      url,
      `SELECT bool_and(ssl) AS all FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name ~ '^coedit'`,
    )
    expect(encrypted).toEqual([{ all: true }])
    await expect(opened(`${url}?sslmode=verify-full`)).rejects.toMatchObject({ code: 'STORAGE_UNREACHABLE' })
  })
}

function withPostgres(postgres: PostgresServer): void {
  /** A role that may log in, and nothing else. */
  const newRole = async (name: string) => {
    await postgres.execute(postgres.url('postgres'), `CREATE ROLE ${name} LOGIN`)
    return name
  }
  const asRole = (url: string, role: string) => url.replace('postgres@', `${role}@`)
  const versionIn = async (url: string) => (await postgres.execute(url, 'SELECT number FROM coedit.version'))[0]?.number

  test('servers that start at the same time make the schema once', async () => {
    const url = await postgres.newDatabase()
    const storages = await Promise.all(Array.from({ length: 8 }, () => opened(url)))
    await storages[0].append([{ document: 'a', update, base: 0 }])
    for (const storage of storages) expect(await storage.list('', undefined, 10)).toEqual(['a'])
  })

  test('the unix socket does as well', async () => {
    const url = await postgres.newDatabase()
    const storage = await opened(postgres.socketUrl(new URL(url).pathname.slice(1)))
    expect(await storage.append([{ document: 'a', update, base: 0 }])).toMatchObject([{ seq: 1 }])
  })

  test('a newer schema is refused by STORAGE_VERSION, and stays as it is', async () => {
    const url = await postgres.newDatabase()
    await migrateDatabase(url, '')
    await postgres.execute(url, 'UPDATE coedit.version SET number = 1000')
    const refused = { code: 'STORAGE_VERSION' }
    for (const serves of [true, false]) await expect(opened(url, serves)).rejects.toMatchObject(refused)
    await expect(migrateDatabase(url, '')).rejects.toMatchObject(refused)
    expect(await versionIn(url)).toBe(1000)
  })

  test('an older schema is refused by STORAGE_OUTDATED where the role may not change it', async () => {
    const url = await postgres.newDatabase()
    const role = await newRole('reader')
    await postgres.execute(url, 'CREATE SCHEMA coedit; CREATE TABLE coedit.version (number integer)')
    await postgres.execute(url, `GRANT USAGE ON SCHEMA coedit TO ${role}; GRANT SELECT ON coedit.version TO ${role}`)
    await expect(opened(asRole(url, role))).rejects.toMatchObject({ code: 'STORAGE_OUTDATED' })
    expect(await versionIn(url)).toBeUndefined()
  })

  test('the role of a server needs to read and write, and no more', async () => {
    const url = await postgres.newDatabase()
    const role = await newRole('app')
    const asApp = asRole(url, role)
    await expect(opened(asApp)).rejects.toMatchObject({ code: 'STORAGE_OUTDATED' })
    expect(await migrateDatabase(url, role)).toEqual({ from: 0, to: MIGRATIONS.length })
    expect(await migrateDatabase(url, role)).toEqual({ from: MIGRATIONS.length, to: MIGRATIONS.length })
    const storage = await opened(asApp)
    const [{ incarnation }] = await storage.append([{ document: 'a', update, base: 0, cursors: ['change'] }])
    expect(await storage.cursors.claim('change', 'a')).toEqual({ seq: 0 })
    expect(await storage.cursors.advance('change', 'a', 1, incarnation)).toBe('told')
    const snapshot = { seq: 1, chunks: [update], stateVector: null, deleteSet: null }
    expect(await storage.compact('a', { snapshot, replaces: 0, incarnation, history: { maxRunMs: 1 } })).toBe(true)
    await storage.history.expireHistory(Number.POSITIVE_INFINITY)
    await storage.revocations.storeRevocations([{ target: 'ada', time: 1 }], ['eve'])
    await storage.delete('a', { formerClients: Uint8Array.of(1) })
    await storage.remove('a')
    await expect(postgres.execute(asApp, 'DROP TABLE coedit.entries')).rejects.toThrow('must be owner')
    await expect(postgres.execute(asApp, 'CREATE TABLE coedit.more ()')).rejects.toThrow('permission denied')
  })

  test('whoever owns the schema makes what is in it', async () => {
    const url = await postgres.newDatabase()
    const role = await newRole('owner')
    await postgres.execute(url, `CREATE SCHEMA coedit AUTHORIZATION ${role}`)
    const storage = await opened(asRole(url, role))
    expect(await storage.append([{ document: 'a', update, base: 0 }])).toMatchObject([{ seq: 1 }])
  })

  test('a command makes no schema', async () => {
    const url = await postgres.newDatabase()
    await expect(opened(url, false)).rejects.toMatchObject({ code: 'STORAGE_MISSING' })
    expect(await postgres.execute(url, `SELECT to_regnamespace('coedit') AS schema`)).toEqual([{ schema: null }])
  })

  test('a database that has not every character is refused', async () => {
    const name = 'latin'
    await postgres.execute(
      postgres.url('postgres'),
      `CREATE DATABASE ${name} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0`,
    )
    await expect(opened(postgres.url(name))).rejects.toMatchObject({ code: 'OPTION_INVALID' })
  })

  test('a database that is not there is refused by STORAGE_UNREACHABLE, whose message tells the reason', async () => {
    const refused = { code: 'STORAGE_UNREACHABLE', message: expect.stringContaining('does not exist') }
    await expect(opened(postgres.url('nothing'))).rejects.toMatchObject(refused)
  })

  test('a host that does not answer is passed over', async () => {
    const url = await postgres.newDatabase()
    const several = url.replace('@', '@127.0.0.1:1,')
    expect(await (await opened(several)).append([{ document: 'a', update, base: 0 }])).toMatchObject([{ seq: 1 }])
  })

  test.each([
    ['an entry', 'entries'],
    ['a chunk', 'chunks'],
  ])('%s that is not as it was written is not served, and counted', async (_, table) => {
    const url = await postgres.newDatabase()
    const { log, lines } = recordingLog()
    const storage = new PostgresStorage({ url, log })
    await storage.open()
    onTestFinished(() => storage.close())
    await storage.append([{ document: 'a', update, base: 0 }])
    await storage.compact('a', {
      snapshot: { seq: 1, chunks: [update], stateVector: null, deleteSet: null },
      replaces: 0,
    })
    await storage.append([{ document: 'a', update, base: 1 }])
    await storage.append([{ document: 'b', update, base: 0 }])
    await postgres.execute(url, `UPDATE coedit.${table} SET data = '\\x02' WHERE document = 1`)
    await expect(storage.load('a')).rejects.toMatchObject({ code: 'STORAGE_DAMAGED' })
    expect(storage.damage.records).toBe(1)
    expect(lines.filter(({ level }) => level === 'error')).toHaveLength(1)
    expect((await storage.load('b')).tail).toEqual([{ seq: 1, update }])
  })

  test('an entry that is missing is noticed', async () => {
    const url = await postgres.newDatabase()
    const storage = await opened(url)
    await storage.append([1, 2, 3].map(() => ({ document: 'a', update, base: 0 })))
    await postgres.execute(url, 'DELETE FROM coedit.entries WHERE seq = 2')
    await expect(storage.load('a')).rejects.toMatchObject({ code: 'STORAGE_DAMAGED' })
    await expect(storage.readAfter('a', 0)).rejects.toMatchObject({ code: 'STORAGE_DAMAGED' })
  })
}
