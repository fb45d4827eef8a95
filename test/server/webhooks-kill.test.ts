import { setTimeout as pause } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { afterTests } from '../support/after-tests.ts'
import { type ClusterNode, startNodes } from '../support/cluster.ts'
import { startMortalServer } from '../support/mortal-server.ts'
import { findPostgres, NO_POSTGRES, type PostgresServer, startPostgres } from '../support/postgres.ts'
import { runCoedit } from '../support/process.ts'
import { Receiver } from '../support/receiver.ts'

const release = onTestFinished
const ASK_EVERY_MS = 20
const FLAGS = ['--webhook-addresses', '127.0.0.1']
const DOCUMENTS = ['one', 'two', 'three']

/** What has a receiver told of all counts. */
const COUNTS = { roots: [{ root: 'root', as: 'json' }] }

/** Counts on in a document until that is answered, wherever it has to ask. */
async function count(document: string, to: number, place: () => string): Promise<void> {
  for (;;) {
    const answer = await fetch(`${place()}api/documents/${document}/content?root=root`, {
      method: 'PATCH',
      headers: { 'content-type': 'application/merge-patch+json' },
      body: JSON.stringify({ count: to }),
      signal: AbortSignal.timeout(10_000),
    }).catch(() => undefined)
    if (answer?.status === 204) return
    await pause(ASK_EVERY_MS)
  }
}

const counted = ({ data }: Receiver['told'][number]) => Number(Object(data.roots?.root).count ?? 0)

/** Expects that each document was told of up to its last count, and never back. */
async function expectAll(receiver: Receiver, last: number): Promise<void> {
  await receiver.until(() => DOCUMENTS.every((name) => receiver.of(name).some((told) => counted(told) === last)))
  for (const name of DOCUMENTS) {
    const counts = receiver.of(name).map(counted)
    expect(counts).toEqual(counts.toSorted((a, b) => a - b))
  }
  expect(receiver.refused).toEqual([])
}

test('no event is missing, and their order is kept, over kill -9 in the middle', async () => {
  const server = await startMortalServer(release, FLAGS)
  const receiver = await Receiver.start({ release })
  await receiver.follow(server.url, COUNTS)
  const seen: number[] = []
  let last = 0
  for (let round = 0; round < 5; round++) {
    const before = receiver.told.length
    for (let step = 0; step < 4; step++) {
      last++
      await Promise.all(DOCUMENTS.map((name) => count(name, last, () => server.url)))
    }
    if (round % 2 === 0) await receiver.until(() => receiver.told.length > before)
    await server.kill()
    seen.push(receiver.told.length)
    await server.restart()
  }
  await expectAll(receiver, last)
  expect(receiver.told.length).toBeGreaterThan(seen.at(-1) ?? 0)
})

test('what a receiver has not answered when the server is killed is told again', async () => {
  const server = await startMortalServer(release, FLAGS)
  const receiver = await Receiver.start({ release, answer: () => undefined })
  await receiver.follow(server.url, COUNTS)
  await count('one', 1, () => server.url)
  await receiver.until(() => receiver.told.length === 1)
  await server.kill()
  receiver.answers((_, response) => response.writeHead(204).end())
  await server.restart()
  await receiver.until(() => receiver.told.length === 2)
  expect(receiver.told[1].id).toBe(receiver.told[0].id)
})

test('what coedit delete has deleted is told when a server runs again', async () => {
  const server = await startMortalServer(release, FLAGS)
  const receiver = await Receiver.start({ release })
  await receiver.follow(server.url, COUNTS)
  await count('one', 1, () => server.url)
  await receiver.until(() => receiver.told.length === 1)
  const { data } = server.process
  await server.kill('SIGTERM')
  expect(await runCoedit(release, ['delete', 'one', '--data', data])).toMatchObject({ code: 0 })
  await server.restart()
  await receiver.until(() => receiver.told.length === 2)
  expect(receiver.told[1]).toMatchObject({ type: 'document.deleted', data: { document: 'one' } })
})

if (findPostgres() === undefined) test('webhooks of servers that share a database', ({ skip }) => skip(NO_POSTGRES))
else withPostgres(await startPostgres(afterTests()))

function withPostgres(postgres: PostgresServer): void {
  test('one of several servers tells, another one where that is killed, and all where one was told of the webhook', async () => {
    const flags = [...FLAGS, '--database', await postgres.newDatabase()]
    const [first, ...others]: readonly ClusterNode[] = await startNodes({ release, flags })
    const receiver = await Receiver.start({ release })
    await receiver.follow(first.url, COUNTS)
    for (const { url } of others) {
      while ((await (await fetch(`${url}api/webhooks`)).json()).webhooks.length === 0);
    }
    let last = 0
    const round = async (nodes: readonly ClusterNode[]) => {
      for (let step = 0; step < 5; step++) {
        last++
        await Promise.all(
          DOCUMENTS.map((name, index) => count(name, last, () => nodes[(last + index) % nodes.length].url)),
        )
      }
    }
    await round([first])
    await receiver.until(() => receiver.told.length > 0)
    // It holds the cursors, and is killed while something is to be told.
    receiver.answers(() => undefined)
    await round([first])
    await first.kill()
    receiver.answers((_, response) => response.writeHead(204).end())
    await round(others)
    await expectAll(receiver, last)
    await first.start()
    await round([first, ...others])
    await expectAll(receiver, last)
    const deleted = await fetch(`${others[0].url}api/documents/one`, { method: 'DELETE' })
    expect(deleted.status).toBe(204)
    await receiver.until(() => receiver.of('one').at(-1)?.type === 'document.deleted')
  })
}
