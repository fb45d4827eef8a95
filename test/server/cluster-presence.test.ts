import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { refusedStream } from '../support/admission.ts'
import { afterTests } from '../support/after-tests.ts'
import { startInProcess } from '../support/in-process-server.ts'
import { LeapingClock } from '../support/leaping-clock.ts'
import { findPostgres, NO_POSTGRES, type PostgresServer, startPostgres } from '../support/postgres.ts'
import { startServer } from '../support/process.ts'
import { startProxy } from '../support/proxy.ts'
import { connectRaw } from '../support/raw-client.ts'
import { moveCursor, watchSightings } from '../support/sightings.ts'
import { STOCK_VERSIONS, type StockClient, syncedClient } from '../support/stock-clients.ts'
import { SECRET, token } from '../support/tokens.ts'

const release = onTestFinished
const document = 'shared'

if (findPostgres() === undefined) test('presence at servers that share a database', ({ skip }) => skip(NO_POSTGRES))
else withPostgres(await startPostgres(afterTests()))

function withPostgres(postgres: PostgresServer): void {
  const killListeners = (url: string) =>
    postgres.execute(
      url,
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'coedit listen'
       AND datname = current_database()`,
    )

  /** Servers on one database, and clients that see each other, each on a way of its own to one of the servers. */
  async function cluster(count: number, places: readonly number[] = [...Array(count).keys()]) {
    const database = await postgres.newDatabase()
    const flags = ['--database', database]
    const servers = await Promise.all(Array.from({ length: count }, () => startServer({ release, flags })))
    const ways = await Promise.all(places.map((place) => startProxy({ release, target: servers[place].url })))
    const clients = await Promise.all(ways.map(({ url }) => syncedClient({ release, url, document })))
    await allSeeAll(clients)
    return { database, servers, ways, clients }
  }

  async function allSeeAll(clients: readonly StockClient[]): Promise<void> {
    await Promise.all(
      clients.map((client) =>
        client.sees(...clients.filter((other) => other !== client).map(({ doc }) => doc.clientID)),
      ),
    )
  }

  test('R47 clients of all versions at different servers see each other, their moves, and that one goes, within 1 s', async () => {
    const { servers, clients } = await cluster(2)
    const more = await Promise.all(
      STOCK_VERSIONS.map((version, index) => syncedClient({ release, url: servers[index % 2].url, document, version })),
    )
    const all = [...clients, ...more]
    await allSeeAll(all)
    const sightings = watchSightings(all[0])
    for (const [cursor, client] of all.slice(1).entries()) {
      const movedAt = performance.now()
      moveCursor(client, cursor)
      expect((await sightings.of(client, cursor)) - movedAt).toBeLessThan(1_000)
    }
    const leftAt = performance.now()
    const [leaver] = clients.slice(1)
    void leaver.leave()
    expect((await sightings.end(leaver)) - leftAt).toBeLessThan(1_000)
    expect(sightings.departures).toBe(1)
  })

  test.each(['SIGKILL', 'SIGSTOP'] as const)(
    'R47 those at a server are gone 5 s after %s, and one that moves on is seen within 1 s',
    async (signal) => {
      const { servers, ways, clients } = await cluster(3, [0, 1, 1])
      const [witness, stays, moves] = clients
      const sightings = watchSightings(witness)
      const endedAt = performance.now()
      if (signal === 'SIGKILL') void servers[1].kill(signal)
      else process.kill(servers[1].pid, signal)
      ways[1].refuse()
      ways[2].leadTo(servers[2].url)
      ways[2].cut()
      await moves.lost()
      await moves.synced()
      const backAt = performance.now()
      moveCursor(moves, 7)
      expect((await sightings.of(moves, 7)) - backAt).toBeLessThan(1_000)
      const goneAt = await sightings.end(stays)
      expect(goneAt - endedAt).toBeLessThan(5_000)
      expect(goneAt - endedAt).toBeGreaterThan(2_500)
      expect(sightings.departures).toBe(1)
    },
  )

  test('of a server that stops nobody is seen to leave who moves on', async () => {
    const { servers, ways, clients } = await cluster(3, [0, 1, 1, 1])
    const sightings = watchSightings(clients[0])
    for (const way of ways.slice(1)) way.leadTo(servers[2].url)
    const moving = clients.slice(1)
    const lost = moving.map((client) => client.lost())
    await servers[1].kill('SIGTERM')
    await Promise.all(lost)
    await Promise.all(moving.map((client) => client.synced()))
    const syncedAt = performance.now()
    for (const [cursor, client] of moving.entries()) moveCursor(client, cursor)
    for (const [cursor, client] of moving.entries()) await sightings.of(client, cursor)
    expect(performance.now() - syncedAt).toBeLessThan(1_000)
    expect(sightings.departures).toBe(0)
  })

  test('while listeners are killed again and again nobody disappears, and each move arrives', async () => {
    const { database, clients } = await cluster(2)
    const sightings = clients.map(watchSightings)
    for (let round = 0; round < 12; round++) {
      const killing = killListeners(database)
      if (round % 2 === 0) await killing
      for (const client of clients) moveCursor(client, round)
      await Promise.all([sightings[0].of(clients[1], round), sightings[1].of(clients[0], round)])
      await killing
    }
    expect(sightings.map(({ departures }) => departures)).toEqual([0, 0])
  })

  test('while what the database says does not come through nobody disappears', async () => {
    const database = await postgres.newDatabase()
    const line = await startProxy({ release, target: database })
    const databaseDirect = database.replace(/:\d+\//, `:${new URL(line.url).port}/`)
    const clock = new LeapingClock()
    const servers = await Promise.all([
      startInProcess({ release, options: { database, databaseDirect }, clock }),
      startInProcess({ release, options: { database } }),
    ])
    const clients = await Promise.all(servers.map(({ url }) => syncedClient({ release, url, document })))
    await allSeeAll(clients)
    const sightings = clients.map(watchSightings)
    line.hold()
    for (let beats = 0; beats < 20; beats++) {
      clock.leap(500)
      await nextTurn()
    }
    moveCursor(clients[1], 1)
    line.letThrough()
    await sightings[0].of(clients[1], 1)
    expect(sightings.map(({ departures }) => departures)).toEqual([0, 0])
  })

  test('while the database is down nobody disappears', async () => {
    const database = await postgres.newDatabase()
    const clock = new LeapingClock()
    const servers = await Promise.all([0, 1].map(() => startInProcess({ release, options: { database }, clock })))
    const clients = await Promise.all(servers.map(({ url }) => syncedClient({ release, url, document })))
    await allSeeAll(clients)
    const sightings = clients.map(watchSightings)
    await postgres.kill()
    for (let ticks = 0; ticks < 20; ticks++) {
      clock.leap(500)
      await nextTurn()
    }
    await postgres.restart()
    for (const client of clients) moveCursor(client, 5)
    await Promise.all([sightings[0].of(clients[1], 5), sightings[1].of(clients[0], 5)])
    expect(sightings.map(({ departures }) => departures)).toEqual([0, 0])
  })

  test('states that no single notification holds arrive', async () => {
    const { clients } = await cluster(2)
    const [large, witness] = clients
    large.provider.awareness.setLocalStateField('large', 'x'.repeat(60_000))
    moveCursor(large, 1)
    await watchSightings(witness).of(large, 1)
    expect(witness.provider.awareness.getStates().get(large.doc.clientID)).toMatchObject({
      large: 'x'.repeat(60_000),
    })
  })

  test('what is revoked at one server ends at all others within a second, and is refused there', async () => {
    const database = await postgres.newDatabase()
    const options = { database, authSecret: SECRET }
    const servers = await Promise.all([0, 1].map(() => startInProcess({ release, options })))
    const [old, other] = [await token(), await token({ sub: 'eve' })]
    const admin = await token({ sub: 'admin', coedit: { revoke: true } })
    const query = `?token=${old}`
    const client = await connectRaw({ release, url: servers[1].url, document: 'notes', query })
    await client.follow()
    const revokedAt = performance.now()
    const answer = await fetch(`${servers[0].url}api/revocations`, {
      method: 'POST',
      headers: { authorization: `Bearer ${admin}` },
      body: JSON.stringify({ user: 'ada' }),
    })
    expect(answer.status).toBe(204)
    // It takes no more part at once, and is told a second later (R40).
    expect((await client.closed).code).toBe(4401)
    expect(performance.now() - revokedAt).toBeLessThan(2_000)
    expect(await refusedStream({ release, url: servers[1].url, token: old })).toEqual([401, 'UNAUTHORIZED'])
    await servers[1].server.revoke({ document: 'drafts/x' })
    await expect
      .poll(() => refusedStream({ release, url: servers[0].url, document: 'drafts/x', token: other }).catch(() => 0), {
        timeout: 1_000,
        interval: 20,
      })
      .toEqual([403, 'FORBIDDEN'])
  })

  test('a revocation of which nobody was told is found within 2 s', async () => {
    const database = await postgres.newDatabase()
    const { url } = await startInProcess({ release, options: { database, authSecret: SECRET } })
    const client = await connectRaw({ release, url, document: 'notes', query: `?token=${await token()}` })
    await client.follow()
    const target = JSON.stringify({ user: 'ada' })
    await postgres.execute(
      database,
      `INSERT INTO coedit.revocations VALUES (encode(sha256('${target}'), 'hex'), '${target}', ${Date.now()})`,
    )
    const storedAt = performance.now()
    expect((await client.closed).code).toBe(4401)
    expect(performance.now() - storedAt).toBeLessThan(3_500)
  })
}
