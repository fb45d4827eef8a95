import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import type { Change } from '../../server/src/index.ts'
import { scanUpdate } from '../../server/src/protocol/update/update.ts'
import { contentOf, docOf } from '../support/editing.ts'
import { lastEntry, readEvents } from '../support/event-stream.ts'
import { append, Calls, heard, textIn } from '../support/hook-calls.ts'
import { type InProcessServer, startInProcess } from '../support/in-process-server.ts'
import { Ledger } from '../support/ledger.ts'
import { findPostgres, NO_POSTGRES, type PostgresServer, startPostgres, startStandby } from '../support/postgres.ts'
import { startProxy } from '../support/proxy.ts'
import { Random } from '../support/random.ts'
import { allRead, syncedClient, textOf } from '../support/stock-clients.ts'
import { elementsIn, Typist } from '../support/typist.ts'
import { untilChanged } from '../support/until.ts'
import { connectWitnessed, synced } from '../support/witness.ts'

const release = onTestFinished
const DOCUMENT = 'notes'

if (findPostgres() === undefined) test('a standby that is promoted', ({ skip }) => skip(NO_POSTGRES))
else withPostgres()

function withPostgres(): void {
  /** A primary, a standby that follows it, and a URL of both for nodes, who get to the standby when they are let. */
  const startPair = async () => {
    const primary = await startPostgres(release)
    const url = await primary.newDatabase()
    const standby = await startStandby(release, primary)
    await until(primary, primary.url('postgres'), `SELECT FROM pg_stat_replication WHERE state = 'streaming'`)
    const name = new URL(url).pathname.slice(1)
    const proxy = await startProxy({ release })
    return {
      primary,
      standby,
      primaryUrl: url,
      standbyUrl: standby.url(name),
      bothUrl: `postgres://postgres@${primary.host},${new URL(proxy.url).host}/${name}`,
      letIn: () => proxy.leadTo(`http://${standby.host}`),
      lockOut: () => proxy.refuse(),
      /** Resolves when the standby has all that the primary has. */
      inStep: async () => {
        const [{ lsn }] = await primary.execute(url, 'SELECT pg_current_wal_flush_lsn() AS lsn')
        await until(standby, standby.url(name), `SELECT WHERE pg_last_wal_replay_lsn() >= '${lsn}'`)
      },
    }
  }

  /** Resolves when a statement gives a row. */
  const until = async (postgres: PostgresServer, url: string, text: string) => {
    while ((await postgres.execute(url, text).catch(() => [])).length === 0);
  }

  const lostIn = async ({ url }: InProcessServer): Promise<number> => {
    const { damage } = (await (await fetch(`${url}health`)).json()) as { damage?: { lostEntries: number } }
    return damage?.lostEntries ?? 0
  }

  test('what an asynchronous standby lacks comes back from those who have it, and numbers given anew are not believed', async () => {
    const { primary, standby, standbyUrl, bothUrl, letIn, inStep } = await startPair()
    const changes = new Calls<Change>()
    const start = (database: string) =>
      startInProcess({ release, options: { database, changeQuietMs: 0 }, hooks: { change: changes.note } })
    const nodes = await Promise.all([bothUrl, bothUrl].map(start))
    const clients = await Promise.all(nodes.map(({ url }) => syncedClient({ release, url, document: DOCUMENT })))
    textOf(clients[0]).insert(0, 'kept')
    await allRead(clients, 'kept')
    const { value: keptEvent } = await readEvents({ release, url: nodes[0].url, document: DOCUMENT }).next()
    await inStep()
    await standby.cutOff()

    textOf(clients[0]).insert(4, ' lost')
    await allRead(clients, 'kept lost')
    const made = await syncedClient({ release, url: nodes[0].url, document: 'made since' })
    textOf(made).insert(0, 'made since')
    await allRead([await syncedClient({ release, url: nodes[1].url, document: 'made since' })], 'made since')
    // Nobody but its server has it: an event stream keeps that in memory.
    const watched = readEvents({ release, url: nodes[0].url, document: 'served' })
    await Promise.all([watched.next(), nodes[0].server.edit('served', append('by the server'))])
    const { value: lostEvent } = await readEvents({ release, url: nodes[0].url, document: DOCUMENT }).next()
    const lostNumber = Number(lostEvent?.id?.split('-')[1])

    await primary.crash()
    await standby.promote()
    const other = await start(standbyUrl)
    await other.server.edit(DOCUMENT, append(' other'))
    expect(await lastEntry({ release, url: other.url, document: DOCUMENT })).toBe(lostNumber)
    const resumedAt = async (lastEventId = '') => {
      const { value } = await readEvents({ release, url: other.url, document: DOCUMENT, lastEventId }).next()
      return new Set(scanUpdate(value?.update ?? new Uint8Array()).sections.map(({ client }) => client))
    }
    const kept = clients[0].doc.clientID
    expect(await resumedAt(keptEvent?.id)).not.toContain(kept)
    expect(await resumedAt(lostEvent?.id)).toContain(kept)
    const late = await syncedClient({ release, url: other.url, document: DOCUMENT })
    letIn()

    const all = [...clients, late]
    await untilChanged(
      all.map(({ doc }) => doc),
      'all have both',
      () =>
        all.every((client) => ['kept', ' lost', ' other'].every((text) => textOf(client).toString().includes(text))),
    )
    for (const { doc } of all) expect(contentOf(doc)).toEqual(contentOf(clients[0].doc))
    expect(textIn(await other.server.read(DOCUMENT))).toBe(textOf(late).toString())
    await allRead([await syncedClient({ release, url: other.url, document: 'made since' }), made], 'made since')

    const { value: served } = await readEvents({ release, url: other.url, document: 'served' }).next()
    expect(textIn(docOf(served?.update ?? new Uint8Array()))).toBe('by the server')

    // Hooks are told of all of it, be it twice.
    const told = (name: string) => heard(changes.events.filter((change) => change.name === name))
    while (told(DOCUMENT) !== textOf(late).toString() || told('made since') !== 'made since') await nextTurn()

    for (const node of nodes) {
      expect(await lostIn(node)).toBeGreaterThanOrEqual(1)
      expect(node.lines).toContainEqual(
        expect.objectContaining({ level: 'error', facts: expect.objectContaining({ document: DOCUMENT, entries: 1 }) }),
      )
    }
    expect(await lostIn(other)).toBe(0)
  })

  test('what a synchronous standby has is all that was acknowledged: nobody is cut off and nothing is loaded anew', async () => {
    const { primary, standby, primaryUrl, bothUrl, letIn } = await startPair()
    await primary.execute(primaryUrl, `ALTER SYSTEM SET synchronous_standby_names = '*'`)
    await primary.execute(primaryUrl, 'SELECT pg_reload_conf()')
    const options = { database: bothUrl }
    const nodes = await Promise.all([0, 1].map(() => startInProcess({ release, options })))
    const ledger = new Ledger()
    const witness = {
      acknowledged: (updates: readonly Uint8Array[]) => ledger.promiseAll(updates),
      shown: (update: Uint8Array) => ledger.promise(update),
    }
    const clients = [0, 1, 2, 3].map((index) =>
      connectWitnessed({ release, url: nodes[index % 2].url, document: DOCUMENT, acknowledges: true, witness }),
    )
    await Promise.all(clients.map(synced))
    let losses = 0
    for (const { provider } of clients) provider.on('connection-close', () => losses++)
    const typists = clients.map(({ doc }, index) => new Typist(`${index}`, doc, new Random(index)))
    for (const typist of typists) typist.start()
    await ledger.grows(50)
    await primary.crash()
    letIn()
    await standby.promote()
    await ledger.grows(50)
    for (const typist of typists) typist.stop()

    const docs = clients.map(({ doc }) => doc)
    const written = typists.flatMap((typist) => typist.written)
    await untilChanged(docs, 'all have all', () => docs.every((doc) => elementsIn(doc).length === written.length))
    const late = await syncedClient({ release, url: nodes[0].url, document: DOCUMENT })
    for (const doc of [...docs, late.doc]) {
      expect(contentOf(doc)).toEqual(contentOf(docs[0]))
      expect(ledger.brokenIn(doc, elementsIn(doc))).toEqual([])
    }
    expect(losses).toBe(0)
    for (const node of nodes) expect(await lostIn(node)).toBe(0)
  })

  test('a primary that comes back after another was promoted is not written to', async () => {
    const { primary, standby, primaryUrl, bothUrl, letIn, lockOut, inStep } = await startPair()
    const { server, url } = await startInProcess({ release, options: { database: bothUrl } })
    await server.edit(DOCUMENT, append('first'))
    await inStep()
    await primary.crash()
    await standby.promote()
    letIn()
    await server.edit(DOCUMENT, append(' second'))
    await primary.restart()
    lockOut()
    const editing = server.edit(DOCUMENT, append(' third'))
    const refused = `${primary.host} was the primary`
    while (!(await (await fetch(`${url}health`)).text()).includes(refused));
    letIn()
    await editing
    expect(await primary.execute(primaryUrl, 'SELECT head FROM coedit.documents')).toEqual([{ head: '1' }])
    expect(textIn(await server.read(DOCUMENT))).toBe('first second third')
  })
}
