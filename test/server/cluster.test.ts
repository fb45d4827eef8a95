import { expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { MIGRATIONS } from '../../server/src/storage/postgres/schema.ts'
import { afterTests } from '../support/after-tests.ts'
import { contentOf } from '../support/editing.ts'
import { Gate } from '../support/gate.ts'
import { startInProcess } from '../support/in-process-server.ts'
import { Ledger } from '../support/ledger.ts'
import { findPostgres, NO_POSTGRES, type PostgresServer, startPostgres } from '../support/postgres.ts'
import { runCoedit, startServer } from '../support/process.ts'
import { startProxy } from '../support/proxy.ts'
import { Random } from '../support/random.ts'
import { allRead, freshCopy, stockClient, syncedClient, textOf } from '../support/stock-clients.ts'
import { elementsIn, Typist } from '../support/typist.ts'
import { untilChanged } from '../support/until.ts'
import { connectWitnessed, synced } from '../support/witness.ts'

const release = onTestFinished
const DOCUMENT = 'shared 😀/100%'
/** Few entries to a compaction, so that documents are compacted several times while they are edited. */
const COMPACTING = ['--compact-max-entries', '20', '--compact-min-bytes', '0', '--compact-interval-ms', '0']

if (findPostgres() === undefined) test('servers that share a database', ({ skip }) => skip(NO_POSTGRES))
else withPostgres(await startPostgres(afterTests()))

function withPostgres(postgres: PostgresServer): void {
  /** A server at an address that leads to another one when it is killed, as a load balancer does. */
  const startNode = async (url: string) => {
    const server = await startServer({ release, flags: ['--database', url, ...COMPACTING] })
    const proxy = await startProxy({ release, target: server.url })
    return { server, proxy, url: proxy.url }
  }
  const killBackends = (url: string, role: string) =>
    postgres.execute(
      url,
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'coedit ${role}'
       AND datname = current_database()`,
    )

  test('clients of one document on different servers see each other edit, from the first letter on', async () => {
    const url = await postgres.newDatabase()
    const nodes = await Promise.all([startNode(url), startNode(url)])
    const clients = await Promise.all(nodes.map((node) => syncedClient({ release, url: node.url, document: DOCUMENT })))
    textOf(clients[0]).insert(0, 'one ')
    await allRead(clients, 'one ')
    textOf(clients[1]).insert(4, 'two')
    await allRead(clients, 'one two')
  })

  test('listeners, connections and a server are killed while people type: nothing acknowledged is lost', async () => {
    const url = await postgres.newDatabase()
    const nodes = [await startNode(url), await startNode(url), await startNode(url)]
    const ledger = new Ledger()
    const clients = nodes.flatMap((node) =>
      [0, 1].map(() =>
        connectWitnessed({
          release,
          url: node.url,
          document: DOCUMENT,
          acknowledges: true,
          witness: {
            acknowledged: (edits) => ledger.promiseAll(edits),
            shown: (update) => ledger.promise(update),
          },
        }),
      ),
    )
    await Promise.all(clients.map(synced))
    const typists = clients.map(({ doc }, index) => new Typist(`${index}`, doc, new Random(index)))
    for (const typist of typists) typist.start()
    for (const role of ['listen', 'append', 'listen', '%', 'read', 'listen']) {
      await ledger.grows(50)
      await killBackends(url, role)
    }
    await ledger.grows(50)
    await nodes[0].server.kill('SIGKILL')
    nodes[0].proxy.leadTo(nodes[1].server.url)
    nodes[0].proxy.cut()
    await ledger.grows(50)
    await postgres.kill()
    await postgres.restart()
    await ledger.grows(50)
    for (const typist of typists) typist.stop()

    const docs = clients.map(({ doc }) => doc)
    const written = typists.flatMap((typist) => typist.written)
    const haveAll = () => docs.every((doc) => elementsIn(doc).length === written.length)
    await untilChanged(docs, 'all have what all have written', haveAll)
    const fresh = await Promise.all(nodes.map((node) => freshCopy({ release, url: node.url, document: DOCUMENT })))
    for (const doc of [...docs, ...fresh]) {
      expect(contentOf(doc)).toEqual(contentOf(docs[0]))
      expect(ledger.brokenIn(doc, elementsIn(doc))).toEqual([])
    }
    expect(elementsIn(fresh[0]).toArray().sort()).toEqual([...written].sort())
  })

  test('a new document that servers open at the same time is filled once', async () => {
    const database = await postgres.newDatabase()
    const gate = new Gate()
    let asked = 0
    const load = async () => {
      asked++
      if (asked === 2) gate.open()
      await gate.opened
      return (doc: Y.Doc) => doc.getText('text').insert(0, 'seeded')
    }
    const servers = await Promise.all(
      [0, 1].map(() => startInProcess({ release, options: { database }, hooks: { load } })),
    )
    const clients = servers.map(({ url }) => stockClient({ release, url, document: DOCUMENT }))
    await allRead(clients, 'seeded')
    textOf(clients[0]).insert(6, ' and edited')
    await allRead(clients, 'seeded and edited')
    expect(clients.map(({ losses }) => losses)).toEqual([0, 0])
    expect(asked).toBe(2)
  })

  test('list and export work beside running servers; what is about files says what to use instead', async () => {
    const url = await postgres.newDatabase()
    const { url: address } = await startNode(url)
    const client = await syncedClient({ release, url: address, document: 'notes' })
    const acknowledged = connectWitnessed({ release, url: address, document: 'notes' })
    textOf(client).insert(0, 'some text')
    await allRead([acknowledged], 'some text')
    const env = { DATABASE_URL: url }
    expect(await runCoedit(release, ['list'], env)).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^notes\t/),
    })
    const exported = await runCoedit(release, ['export', 'notes', '--root', 'text', '--database', url])
    expect(exported).toMatchObject({ code: 0, stdout: 'some text', stderr: '' })
    const update = await runCoedit(release, ['export', 'notes', '--format', 'update'], env)
    const doc = new Y.Doc()
    Y.applyUpdate(doc, update.stdoutBytes)
    expect(doc.getText('text').toString()).toBe('some text')
    for (const [command, instead] of [
      [['backup', '/nowhere'], 'pg_dump'],
      [['repair'], 'its own files'],
    ] as const) {
      const { code, stderr } = await runCoedit(release, command, env)
      expect(code).toBe(2)
      expect(stderr).toMatch(new RegExp(`^coedit: .*${instead}.*\\(OPTION_INVALID\\)\n$`))
    }
  })

  test('coedit migrate makes the schema, and says what it did', async () => {
    const url = await postgres.newDatabase()
    expect(await runCoedit(release, ['list', '--database', url])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/\(STORAGE_MISSING\)\n$/),
    })
    expect(await runCoedit(release, ['migrate', '--database', url])).toMatchObject({
      code: 0,
      stdout: `the schema has version ${MIGRATIONS.length} now; it had 0\n`,
    })
    const again = await runCoedit(release, ['migrate', '--database', url, '--grant-to', 'postgres'])
    expect(again).toMatchObject({ code: 0, stdout: `the schema has version ${MIGRATIONS.length} already\n` })
    expect(await runCoedit(release, ['migrate'])).toMatchObject({ code: 2 })
  })
}
