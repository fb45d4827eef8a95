import { describe, expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { contentOf, Editor, isPending } from '../support/editing.ts'
import { startInProcess } from '../support/in-process-server.ts'
import { Random } from '../support/random.ts'
import { runs } from '../support/runs.ts'
import { allRead, freshCopy, STOCK_VERSIONS, stockClient, syncedClient, textOf } from '../support/stock-clients.ts'
import { untilChanged } from '../support/until.ts'

const release = onTestFinished
const document = 'notes'

async function start() {
  const { url } = await startInProcess({ release })
  return { release, url, document }
}

test('clients of all versions edit one document at once and converge', async () => {
  const there = await start()
  const random = new Random(1)
  const clients = await Promise.all(
    [...STOCK_VERSIONS, ...STOCK_VERSIONS].map((version) => syncedClient({ ...there, version })),
  )
  const editors = clients.map(({ doc }) => new Editor(doc, random))
  for (let round = 0; round < 30; round++) {
    for (const editor of editors) editor.edit()
    await new Promise(setImmediate)
  }
  const docs = clients.map(({ doc }) => doc)
  await untilChanged(docs, 'all have the same', () => docs.every((doc) => hasSame(doc, docs[0])))
  expect(hasSame(await freshCopy(there), docs[0])).toBe(true)
  for (const doc of docs) expect(contentOf(doc)).toEqual(contentOf(docs[0]))
  expect(clients.map(({ losses }) => losses)).toEqual([0, 0, 0, 0, 0, 0])
})

function hasSame(doc: Y.Doc, other: Y.Doc): boolean {
  return !isPending(doc) && Y.equalSnapshots(Y.snapshot(doc), Y.snapshot(other))
}

describe.each(STOCK_VERSIONS)('a stock client %s', (version) => {
  test('uploads what was edited offline, deletions too', async () => {
    const there = await start()
    const witness = await syncedClient(there)
    const client = await syncedClient({ ...there, version })
    textOf(client).insert(0, 'hello world')
    await allRead([witness], 'hello world')
    client.provider.disconnect()
    textOf(client).delete(0, 6)
    textOf(client).insert(5, '!')
    textOf(witness).insert(0, '> ')
    client.provider.connect()
    await allRead([witness, client], '> world!')
  })

  test('uploads a document that was made before it ever connected', async () => {
    const there = await start()
    const doc = new Y.Doc()
    textOf({ doc }).insert(0, 'made offline')
    const client = stockClient({ ...there, version, doc })
    const witness = await syncedClient(there)
    await allRead([witness, client], 'made offline')
  })

  test('loses nothing when the last one leaves and comes back in the same moment', async () => {
    const there = await start()
    const client = await syncedClient({ ...there, version })
    for (let times = 0; times < runs(200); times++) {
      textOf(client).insert(textOf(client).length, String.fromCharCode(97 + (times % 26)))
      await client.leave()
      client.provider.connect()
      // Sometimes it leaves again before it is there, with the server at any point of loading and unloading.
      if (times % 3 > 0) await client.synced()
    }
    const witness = await syncedClient(there)
    await allRead([witness], textOf(client).toString())
    expect(textOf(witness).length).toBe(runs(200))
  })
})

test('of many who come, edit and go at once no edit is lost', async () => {
  const there = await start()
  const rounds = Array.from({ length: runs(20) }, (_, round) => round)
  const makers = STOCK_VERSIONS.flatMap((version, who) => [
    async () => {
      for (const round of rounds) {
        const client = await syncedClient({ ...there, version })
        client.doc.getArray('marks').push([`${who}-${round}`])
        client.provider.destroy()
      }
    },
  ])
  await Promise.all(makers.map((make) => make()))
  const { doc } = await syncedClient(there)
  const made = rounds.length * STOCK_VERSIONS.length
  await untilChanged([doc], `all ${made} are there`, () => doc.getArray('marks').length === made)
})
