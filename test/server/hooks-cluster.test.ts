import { setTimeout as pause } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { scanUpdate } from '../../server/src/protocol/update/update.ts'
import { afterTests } from '../support/after-tests.ts'
import { contentOf } from '../support/editing.ts'
import { findPostgres, NO_POSTGRES, type PostgresServer, startPostgres } from '../support/postgres.ts'
import { type ServerProcess, startEmbedding } from '../support/process.ts'
import { Random } from '../support/random.ts'
import { allRead, stockClient, syncedClient, textOf } from '../support/stock-clients.ts'
import { temporaryDirectory } from '../support/temporary.ts'
import { elementsIn, Typist } from '../support/typist.ts'
import { untilChanged } from '../support/until.ts'

const release = onTestFinished
const LOOK_EVERY_MS = 20

/** What a hook was told. */
interface Told {
  readonly hook: 'commit' | 'change'
  readonly name: string
  readonly seq: number
  readonly updates: readonly Uint8Array[]
}

const startTelling = (place: string) => startEmbedding(release, 'telling-program.mjs', place)

function toldBy(server: ServerProcess, hook: Told['hook'], name: string): Told[] {
  const lines = server.stderr().split('\n').slice(0, -1)
  const told: Told[] = lines.map((line) => {
    const { updates, ...event } = JSON.parse(line)
    return { ...event, updates: updates.map((text: string) => Buffer.from(text, 'base64')) }
  })
  return told.filter((event) => event.hook === hook && event.name === name)
}

/** Resolves with what servers were told of a document, in order, once that is all that the document has. */
async function allTold(
  servers: readonly ServerProcess[],
  hook: Told['hook'],
  name: string,
  doc: Y.Doc,
): Promise<Told[]> {
  for (;;) {
    const told = servers.flatMap((server) => toldBy(server, hook, name)).sort((a, b) => a.seq - b.seq)
    const heard = new Y.Doc()
    for (const { updates } of told) for (const update of updates) Y.applyUpdate(heard, update)
    if (JSON.stringify(contentOf(heard)) === JSON.stringify(contentOf(doc))) return told
    await pause(LOOK_EVERY_MS)
  }
}

/** Expects that nothing was told twice. */
function expectOnce(told: readonly Told[]): void {
  const clocks = new Map<number, number>()
  for (const { updates } of told) {
    for (const { client, clock, end } of updates.flatMap((update) => [...scanUpdate(update).sections])) {
      expect(clock).toBe(clocks.get(client) ?? 0)
      clocks.set(client, end)
    }
  }
}

test('what a killed server had not told is told when it is started again', async () => {
  const data = await temporaryDirectory(release)
  const first = await startTelling(data)
  const client = await syncedClient({ release, url: first.url, document: 'notes' })
  textOf(client).insert(0, 'text')
  await allTold([first], 'commit', 'notes', client.doc)
  await first.kill()
  expect(toldBy(first, 'change', 'notes')).toEqual([])
  client.provider.destroy()
  const second = await startTelling(data)
  expectOnce(await allTold([second], 'change', 'notes', client.doc))
})

if (findPostgres() === undefined) test('hooks of servers that share a database', ({ skip }) => skip(NO_POSTGRES))
else withPostgres(await startPostgres(afterTests()))

function withPostgres(postgres: PostgresServer): void {
  const startNodes = async (count: number) => {
    const url = await postgres.newDatabase()
    return Promise.all(Array.from({ length: count }, () => startTelling(url)))
  }

  test('each change is told once, by one of them', async () => {
    const nodes = await startNodes(3)
    const clients = await Promise.all(
      nodes.flatMap(({ url }) => [0, 1].map(() => syncedClient({ release, url, document: 'notes' }))),
    )
    const typists = clients.map(({ doc }, index) => new Typist(`${index}`, doc, new Random(index)))
    const docs = clients.map(({ doc }) => doc)
    const count = () => typists.reduce((sum, { written }) => sum + written.length, 0)
    for (let round = 0; round < 3; round++) {
      const goal = count() + 200
      for (const typist of typists) typist.start()
      await untilChanged(docs, 'much is written', () => count() >= goal)
      for (const typist of typists) typist.stop()
      await untilChanged(docs, 'all have all', () => docs.every((doc) => elementsIn(doc).length === count()))
      for (const hook of ['commit', 'change'] as const) expectOnce(await allTold(nodes, hook, 'notes', docs[0]))
    }
  })

  test.each(['SIGKILL', 'SIGSTOP'] as const)(
    'what a server had not told is told by another one after %s',
    async (signal) => {
      const nodes = await startNodes(3)
      const [first, ...others] = nodes
      const [mine, theirs] = await Promise.all(
        [first, others[0]].map(({ url }) => syncedClient({ release, url, document: 'notes' })),
      )
      const alone = await syncedClient({ release, url: first.url, document: 'alone' })
      textOf(mine).insert(0, 'first')
      textOf(alone).insert(0, 'alone')
      await allRead([theirs], 'first')
      await allTold([first], 'commit', 'alone', alone.doc)
      process.kill(first.pid, signal)
      mine.provider.destroy()
      alone.provider.destroy()
      textOf(theirs).insert(5, ', second')
      for (const client of [theirs, alone]) {
        const name = client === alone ? 'alone' : 'notes'
        for (const hook of ['commit', 'change'] as const) {
          const told = await allTold(nodes, hook, name, client.doc)
          // Of a commit it may have been told before it was killed, without having noted that.
          if (hook === 'commit') continue
          expect(told).toEqual(others.flatMap((node) => toldBy(node, hook, name)))
          expectOnce(told)
        }
      }
      if (signal === 'SIGKILL') return
      // It holds nothing any more, and goes on with what is new.
      process.kill(first.pid, 'SIGCONT')
      const late = stockClient({ release, url: first.url, document: 'late' })
      textOf(late).insert(0, 'late')
      expectOnce(await allTold([first], 'change', 'late', late.doc))
      expect(toldBy(first, 'change', 'notes')).toEqual([])
    },
  )
}
