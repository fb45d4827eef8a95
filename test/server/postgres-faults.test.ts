import { setImmediate as nextTurn } from 'node:timers/promises'
import { Client } from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import type { LogPart } from '../../server/src/storage/document-store.ts'
import { checksumOf } from '../../server/src/storage/postgres/checked.ts'
import { PostgresStorage, type PostgresStorageOptions } from '../../server/src/storage/postgres/postgres-storage.ts'
import { APPEND_AND_TELL } from '../../server/src/storage/postgres/schema/append.ts'
import { afterTests } from '../support/after-tests.ts'
import { recordingLog } from '../support/log.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { findPostgres, NO_POSTGRES, type PostgresServer, startPostgres } from '../support/postgres.ts'
import { startProxy } from '../support/proxy.ts'
import { Random } from '../support/random.ts'
import { runs } from '../support/runs.ts'
import { encodeValues, valuesIn } from '../support/values.ts'

const release = onTestFinished
const DOCUMENT = 'doc'

async function opened(options: PostgresStorageOptions): Promise<PostgresStorage> {
  const storage = new PostgresStorage(options)
  await storage.open()
  release(() => storage.close())
  return storage
}

/** Resolves when a storage that was opened right before has heard its own notification. */
async function untilListening(clock: ManualClock): Promise<void> {
  await clock.hasTimerOf(5_000)
  while (clock.pending.includes(5_000)) await nextTurn()
}

/** Resolves when the storage waits for no answer of the database. */
async function untilAnswered(clock: ManualClock): Promise<void> {
  while (clock.pending.includes(10_000)) await nextTurn()
}

/** In the place of the procedure: it writes, and fails with this state where it is to tell of it. */
function appendThatCannotTell(state: string): string {
  return APPEND_AND_TELL.replace('COMMIT;', `COMMIT; RAISE EXCEPTION 'nobody can be told' USING ERRCODE = '${state}';`)
}

/** Follows a document; `until` resolves when the entry with this number was reported. */
function follow(storage: PostgresStorage, document = DOCUMENT) {
  const numbers: number[] = []
  let look: () => void = () => undefined
  const take = ({ entries }: LogPart) => {
    numbers.push(...entries.map(({ seq }) => seq))
    look()
  }
  release(storage.follow(document, 0, take))
  const until = (seq: number) =>
    new Promise<void>((resolve) => {
      look = () => numbers.includes(seq) && resolve()
      look()
    })
  return { numbers, until }
}

if (findPostgres() === undefined) test('PostgresStorage survives', ({ skip }) => skip(NO_POSTGRES))
else withPostgres(await startPostgres(afterTests()))

function withPostgres(postgres: PostgresServer): void {
  const proxied = async (url: string) => {
    const proxy = await startProxy({ release, target: `http://${new URL(url).host}` })
    return { proxy, through: url.replace(new URL(url).host, new URL(proxy.url).host) }
  }

  test.each(Array.from({ length: runs(3) }, (_, seed) => seed))(
    'each batch is written exactly once, whenever the connection is cut, seed %i',
    async (seed) => {
      const random = new Random(seed)
      const url = await postgres.newDatabase()
      const { proxy, through } = await proxied(url)
      const storages = await Promise.all([through, through].map((each) => opened({ url: each })))
      const cutSoon = async () => {
        for (let turns = random.below(100); turns > 0; turns--) await nextTurn()
        if (random.chance(0.5)) proxy.cut()
        else proxy.reset()
      }
      const written = storages.map(() => 0)
      const write = async (index: number) => {
        for (let base = 0; written[index] < 60; ) {
          const values = Array.from({ length: 1 + random.below(3) }, () => index * 1_000 + written[index]++)
          const appending = storages[index].append(
            values.map((value) => ({ document: DOCUMENT, update: encodeValues([value]), base })),
          )
          if (random.chance(0.4)) await cutSoon()
          base = (await appending).at(-1)?.seq ?? base
        }
      }
      await Promise.all([0, 1].map(write))
      const stored = valuesIn(await (await opened({ url })).load(DOCUMENT))
      for (const [index, count] of written.entries()) {
        const own = stored.filter((value) => Math.floor(value / 1_000) === index)
        expect(own).toEqual(Array.from({ length: count }, (_, value) => index * 1_000 + value))
      }
    },
  )

  test('a batch that was committed although its answer was lost is not written again', async () => {
    const url = await postgres.newDatabase()
    const { proxy, through } = await proxied(url)
    const storage = await opened({ url: through })
    await storage.append([{ document: DOCUMENT, update: encodeValues([0]), base: 0 }])
    const row = await postgres.execute(url, 'SELECT id, batch FROM coedit.nodes')
    expect(row).toMatchObject([{ batch: '1' }])
    await postgres.execute(
      url,
      `SELECT FROM coedit.append(${row[0].id}, 2, 0, '{${DOCUMENT}}', '{null}', '{1}', '{false}', '{1}', '{4}',
       '{${checksumOf(encodeValues([1]))}}', '\\x00000001')`,
    )
    proxy.cut()
    // For the database this is the second attempt of the batch above.
    expect(await storage.append([{ document: DOCUMENT, update: encodeValues([1]), base: 1 }])).toMatchObject([
      { seq: 2, between: [] },
    ])
    expect((await storage.load(DOCUMENT)).head).toBe(2)
  })

  test('while the database is gone writes wait and the status says so; then they are written', async () => {
    const url = await postgres.newDatabase()
    const { proxy, through } = await proxied(url)
    const storage = await opened({ url: through })
    await storage.append([{ document: DOCUMENT, update: encodeValues([0]), base: 0 }])
    const { port } = new URL(url)
    proxy.refuse()
    const appending = storage.append([{ document: DOCUMENT, update: encodeValues([1]), base: 1 }])
    while (storage.status.state === 'ok') await nextTurn()
    expect(storage.status).toMatchObject({ state: 'degraded', error: expect.any(String) })
    proxy.leadTo(`http://127.0.0.1:${port}`)
    expect(await appending).toMatchObject([{ seq: 2 }])
    expect(storage.status).toEqual({ state: 'ok' })
  })

  test('what cannot be written when the storage closes is refused', async () => {
    const { proxy, through } = await proxied(await postgres.newDatabase())
    const storage = await opened({ url: through })
    proxy.refuse()
    const appending = storage.append([{ document: DOCUMENT, update: encodeValues([1]), base: 0 }])
    const refused = expect(appending).rejects.toMatchObject({ code: 'STORAGE_CLOSED' })
    while (storage.status.state === 'ok') await nextTurn()
    await storage.close()
    await refused
  })

  test('a node whose row is gone goes on as another', async () => {
    const url = await postgres.newDatabase()
    const storage = await opened({ url })
    await storage.append([{ document: DOCUMENT, update: encodeValues([0]), base: 0 }])
    await postgres.execute(url, 'DELETE FROM coedit.nodes')
    expect(await storage.append([{ document: DOCUMENT, update: encodeValues([1]), base: 1 }])).toMatchObject([
      { seq: 2 },
    ])
  })

  test('a connection without an answer is given up, and the work done on another', async () => {
    const url = await postgres.newDatabase()
    const { proxy, through } = await proxied(url)
    const clock = new ManualClock()
    const storage = await opened({ url: through, directUrl: url, clock })
    await untilListening(clock)
    await storage.append([{ document: DOCUMENT, update: encodeValues([0]), base: 0 }])
    await untilAnswered(clock)
    proxy.hold()
    const appending = storage.append([{ document: DOCUMENT, update: encodeValues([1]), base: 1 }])
    await clock.hasTimerOf(10_000)
    clock.advance(10_000)
    await clock.hasTimerOf(10)
    proxy.letThrough()
    clock.advance(10)
    expect(await appending).toMatchObject([{ seq: 2 }])
  })

  test('a connection that nobody has the other end of is given up long before that', async () => {
    const url = await postgres.newDatabase()
    const { proxy, through } = await proxied(url)
    const clock = new ManualClock()
    const storage = await opened({ url: through, directUrl: url, clock })
    await untilListening(clock)
    await storage.append([{ document: DOCUMENT, update: encodeValues([0]), base: 0 }])
    await untilAnswered(clock)
    void proxy.strand()
    const appending = storage.append([{ document: DOCUMENT, update: encodeValues([1]), base: 1 }])
    await clock.hasTimerOf(1_200)
    clock.advance(1_200)
    await clock.hasTimerOf(10)
    clock.advance(10)
    expect(await appending).toMatchObject([{ seq: 2 }])
    // Those that were idle are waited for when the storage closes, by a clock that stands still.
    proxy.end()
  })

  test('a connection is kept while the database works on what it was sent', async () => {
    const url = await postgres.newDatabase()
    await opened({ url })
    const clock = new ManualClock()
    // One that does not listen has no timers but those of the statement.
    const storage = await opened({ url, clock, serves: false })
    await storage.append([{ document: DOCUMENT, update: encodeValues([0]), base: 0 }])
    const other = new Client(url)
    await other.connect()
    release(() => other.end())
    await other.query('BEGIN; SELECT FROM coedit.documents FOR UPDATE')
    const appending = storage.append([{ document: DOCUMENT, update: encodeValues([1]), base: 1 }])
    // Many attempts would take all connections while a standby is away, for which commits wait.
    for (const ms of [1_200, 2_400, 4_800, 4_800]) {
      await clock.hasTimerOf(ms)
      clock.advance(ms)
    }
    await clock.hasTimerOf(4_800)
    expect(storage.status).toMatchObject({ state: 'degraded' })
    const [{ count }] = await postgres.execute(
      url,
      `SELECT count(*)::integer AS count FROM pg_stat_activity
       WHERE datname = current_database() AND application_name = 'coedit append'`,
    )
    // The last one that asked may not have ended yet.
    expect(count).toBeLessThanOrEqual(2)
    await other.query('COMMIT')
    expect(await appending).toMatchObject([{ seq: 2 }])
    expect(storage.status).toEqual({ state: 'ok' })
  })

  test('a connection to what takes no writes is not used again', async () => {
    const url = await postgres.newDatabase()
    await opened({ url })
    const name = new URL(url).pathname.slice(1)
    // As on a primary that has become a standby: the connections there are stay as they are.
    await postgres.execute(url, `ALTER DATABASE ${name} SET default_transaction_read_only = on`)
    const storage = await opened({ url })
    const appending = storage.append([{ document: DOCUMENT, update: encodeValues([0]), base: 0 }])
    while (storage.status.state === 'ok') await nextTurn()
    await postgres.execute(postgres.url('postgres'), `ALTER DATABASE ${name} RESET default_transaction_read_only`)
    expect(await appending).toMatchObject([{ seq: 1 }])
  })

  test('a database that does not wait for its disk is told of in the log', async () => {
    const url = await postgres.newDatabase()
    await postgres.execute(url, `ALTER DATABASE ${new URL(url).pathname.slice(1)} SET synchronous_commit = off`)
    const { log, lines } = recordingLog()
    await opened({ url, log })
    expect(lines).toMatchObject([{ level: 'error', facts: { settings: ['synchronous_commit'] } }])
  })

  test('a cancelled wait for a synchronous standby is no success, and nobody is told', async () => {
    const url = await postgres.newDatabase()
    const clock = new ManualClock()
    const [storage, theirs] = [await opened({ url }), await opened({ url, clock })]
    await untilListening(clock)
    const heard: string[] = []
    const onAppended = (document: string, _: number, seq: number) => void heard.push(`${document} ${seq}`)
    release(theirs.followAll({ onAppended, onMissed: () => undefined }))
    await storage.append([{ document: DOCUMENT, update: encodeValues([0]), base: 0 }])
    const configure = async (change: string) => {
      await postgres.execute(url, `ALTER SYSTEM ${change}`)
      await postgres.execute(url, 'SELECT pg_reload_conf()')
    }
    /** The statement that waits for the standby. */
    const waiting = async () => {
      const [row] = await postgres.execute(
        url,
        `SELECT pid, query_start::text AS since FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = 'coedit append' AND wait_event = 'SyncRep'`,
      )
      return row
    }
    let acknowledged = 1
    /** Appends until one has to wait: each connection takes over the setting a moment after it was made. */
    const appendUntilOneWaits = async () => {
      for (;;) {
        const base = acknowledged
        const appending = storage
          .append([{ document: DOCUMENT, update: encodeValues([base]), base }])
          .then((entries) => {
            acknowledged++
            return entries
          })
        for (;;) {
          const statement = await waiting()
          if (statement) return { appending, statement }
          if (acknowledged > base) break
        }
      }
    }
    await configure(`SET synchronous_standby_names = 'nobody'`)
    try {
      const { appending, statement } = await appendUntilOneWaits()
      const before = acknowledged
      await postgres.execute(url, `SELECT pg_cancel_backend(${statement.pid})`)
      for (;;) {
        const again = await waiting()
        if (again && again.since !== statement.since) break
      }
      expect(acknowledged).toBe(before)
      await postgres.execute(url, `SELECT pg_notify('coedit', '["me",[["later",1,1,null]]]')`)
      while (!heard.includes('later 1')) await nextTurn()
      expect(heard).toContain(`${DOCUMENT} ${before}`)
      expect(heard).not.toContain(`${DOCUMENT} ${before + 1}`)
      await configure('RESET synchronous_standby_names')
      expect(await appending).toMatchObject([{ seq: before + 1 }])
      while (!heard.includes(`${DOCUMENT} ${before + 1}`)) await nextTurn()
    } finally {
      await configure('RESET synchronous_standby_names')
    }
    expect((await storage.load(DOCUMENT)).head).toBe(acknowledged)
  })

  test('a pool through which nobody can listen is noticed, and what others write comes all the same', async () => {
    const url = await postgres.newDatabase()
    const clock = new ManualClock()
    const { log, lines } = recordingLog()
    // A channel belongs to a database: in another one nothing is heard.
    const deaf = await opened({ url, directUrl: postgres.url('postgres'), clock, log })
    const { until } = follow(deaf)
    const other = await opened({ url })
    await clock.hasTimerOf(5_000)
    clock.advance(5_000)
    expect(lines).toContainEqual(
      expect.objectContaining({ level: 'error', message: expect.stringContaining('databaseDirect') }),
    )
    await other.append([{ document: DOCUMENT, update: encodeValues([0]), base: 0 }])
    await clock.hasTimerOf(2_000)
    clock.advance(2_000)
    await until(1)
  })

  test('whoever listens is not taken for deaf', async () => {
    const url = await postgres.newDatabase()
    const clock = new ManualClock()
    const { log, lines } = recordingLog()
    const storage = await opened({ url, clock, log })
    await untilListening(clock)
    clock.advance(5_000)
    await storage.close()
    expect(lines.filter(({ level }) => level === 'error')).toEqual([])
  })

  test.each(['54000', '53100'])('a batch is written once though telling of it fails with %s', async (state) => {
    const url = await postgres.newDatabase()
    const clock = new ManualClock()
    const [mine, theirs] = [await opened({ url }), await opened({ url, clock })]
    await untilListening(clock)
    const { numbers, until } = follow(theirs)
    await postgres.execute(url, appendThatCannotTell(state))
    for (const base of [0, 1]) {
      const [{ seq }] = await mine.append([{ document: DOCUMENT, update: encodeValues([base]), base }])
      await until(seq)
    }
    expect(numbers).toEqual([1, 2])
    expect(valuesIn(await mine.load(DOCUMENT))).toEqual([0, 1])
  })

  test.each([
    ['all of them', DOCUMENT, [1, 2_000, 4_000], []],
    ['the small ones, and that there are larger ones', DOCUMENT, [1, 5_000, 7_000, 300_000], [10]],
    ['those of a document whose name takes most of a notification', 'é"\n'.repeat(500), [1, 5_000], [10]],
    ['none where the name alone is too long, until heads are compared', '\u{1}'.repeat(2_000), [1, 5_000], [2_000]],
  ])('other servers are told what was written, by the append or after it: %s', async (_, document, sizes, timers) => {
    const url = await postgres.newDatabase()
    const clock = new ManualClock()
    const [mine, theirs] = [await opened({ url }), await opened({ url, clock })]
    await untilListening(clock)
    await mine.append([{ document, update: encodeValues([0]), base: 0 }])
    const { until } = follow(theirs, document)
    await until(1)
    const updates = sizes.map((size) => new Uint8Array(size).fill(size))
    for (const base of [1, 1 + sizes.length]) {
      await untilAnswered(clock)
      await mine.append(updates.map((update) => ({ document, update, base })))
      for (const timer of timers) {
        await clock.hasTimerOf(timer)
        clock.advance(timer)
      }
      await until(base + sizes.length)
      await postgres.execute(url, appendThatCannotTell('54000'))
    }
  })

  test('a listener that is killed again and again misses nothing for long', async () => {
    const url = await postgres.newDatabase()
    const [mine, theirs] = await Promise.all([opened({ url }), opened({ url })])
    const { numbers, until } = follow(theirs)
    for (let round = 0; round < 20; round++) {
      const [{ seq }] = await mine.append([{ document: DOCUMENT, update: encodeValues([round]), base: round }])
      const killing = postgres.execute(
        url,
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'coedit listen'
         AND datname = current_database()`,
      )
      if (round % 2 === 0) await killing
      await until(seq)
      await killing
    }
    expect(numbers).toEqual(Array.from({ length: 20 }, (_, index) => index + 1))
  })

  test('a cursor is left to others by a server that gives no sign of life, and by none that does', async () => {
    const url = await postgres.newDatabase()
    const clock = new ManualClock()
    const [mine, theirs] = await Promise.all([opened({ url, clock }), opened({ url })])
    const request = { document: DOCUMENT, update: encodeValues([0]), base: 0, cursors: ['change'] }
    const [{ incarnation }] = await mine.append([request])
    // As if so much time had passed since.
    const pass = (seconds: number) =>
      postgres.execute(url, `UPDATE coedit.holders SET until = until - interval '${seconds} s'`)
    await pass(3)
    expect(await theirs.cursors.untold('change', 10)).toEqual([])
    await clock.hasTimerOf(1_000)
    clock.advance(1_000)
    await clock.hasTimerOf(1_000)
    await pass(3)
    expect(await theirs.cursors.claim('change', DOCUMENT)).toBeUndefined()
    await pass(3)
    expect(await theirs.cursors.untold('change', 10)).toEqual([DOCUMENT])
    expect(await theirs.cursors.claim('change', DOCUMENT)).toEqual({ seq: 0 })
    expect(await mine.cursors.advance('change', DOCUMENT, 1, incarnation)).toBe('lost')
    expect(await mine.cursors.claim('change', DOCUMENT)).toBeUndefined()
    expect(await theirs.cursors.advance('change', DOCUMENT, 1, incarnation)).toBe('told')
  })

  test('a document that lost numbers in the database is loaded anew', async () => {
    const url = await postgres.newDatabase()
    const clock = new ManualClock()
    const storage = await opened({ url, clock })
    const values = [0, 1, 2].map((value) => ({ document: DOCUMENT, update: encodeValues([value]), base: 0 }))
    const [{ incarnation }] = await storage.append(values)
    const reports: LogPart[] = []
    let told: () => void = () => undefined
    const reported = new Promise<void>((resolve) => {
      told = resolve
    })
    storage.follow(DOCUMENT, 3, (part) => {
      reports.push(part)
      told()
    })
    await storage.append([{ document: DOCUMENT, update: encodeValues([3]), base: 3 }])
    await postgres.execute(url, 'UPDATE coedit.documents SET head = 2; DELETE FROM coedit.entries WHERE seq > 2')
    clock.advance(2_000)
    await reported
    expect(reports).toEqual([{ incarnation: 0, entries: [] }])
    const appending = storage.append([{ document: DOCUMENT, update: encodeValues([4]), base: 4, incarnation }])
    await expect(appending).rejects.toMatchObject({ code: 'STORAGE_CONFLICT' })
  })
}
