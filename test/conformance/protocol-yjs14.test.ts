import { WebsocketProvider } from '@y/websocket'
import * as Y14 from '@y/y'
import { expect, onTestFinished, test } from 'vitest'
import { isPending } from '../support/editing.ts'
import { lastEntry } from '../support/event-stream.ts'
import { startInProcess } from '../support/in-process-server.ts'
import { readServerMessage } from '../support/messages.ts'
import { nodeWebSocket, syncedClient, textOf } from '../support/stock-clients.ts'
import { untilChanged } from '../support/until.ts'

const release = onTestFinished
const document = 'notes'

/** An unchanged client of the yjs 14 release candidate. */
function candidate(url: string) {
  const doc = new Y14.Doc()
  const provider = new WebsocketProvider(url, document, doc, {
    WebSocketPolyfill: nodeWebSocket(),
    maxBackoffTime: 100,
    disableBc: true,
  })
  release(async () => {
    provider.destroy()
    doc.destroy()
  })
  return { doc, provider, text: () => doc.get('text').toString() }
}

type Candidate = ReturnType<typeof candidate>

function synced({ provider }: Candidate): Promise<void> {
  return new Promise((resolve) => {
    if (provider.synced) resolve()
    else provider.once('sync', () => resolve())
  })
}

function reads(client: Candidate, text: string): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      if (client.text() !== text) return
      client.doc.off('update', look)
      resolve()
    }
    client.doc.on('update', look)
    look()
  })
}

async function start() {
  const { url } = await startInProcess({ release })
  const there = { release, url, document }
  return { there, stock: await syncedClient(there), client: candidate(url) }
}

test('R6 yjs 14: its client has everything when its sync event comes', async () => {
  const { stock, client, there } = await start()
  textOf(stock).insert(0, 'from yjs 13')
  await synced(client)
  await reads(client, 'from yjs 13')
  const late = candidate(there.url)
  await synced(late)
  expect(late.text()).toBe('from yjs 13')
})

test('R14 yjs 14: both edit one document, and what was edited offline is uploaded', async () => {
  const { stock, client } = await start()
  await synced(client)
  client.doc.get('text').insert(0, 'hello')
  await untilChanged([stock.doc], 'yjs 13 reads it', () => textOf(stock).toString() === 'hello')
  textOf(stock).insert(5, ' world')
  await reads(client, 'hello world')

  client.provider.disconnect()
  client.doc.get('text').delete(0, 6)
  textOf(stock).insert(11, '!')
  client.provider.connect()
  await reads(client, 'world!')
  await untilChanged([stock.doc], 'yjs 13 reads it', () => textOf(stock).toString() === 'world!')
})

test('R14 yjs 14: every kind of content reaches yjs 13', async () => {
  const { stock, client } = await start()
  await synced(client)
  const [text, map, array] = ['text', 'map', 'array'].map((name) => client.doc.get(name))
  text.insert(0, 'bold')
  text.format(0, 4, { strong: true })
  map.setAttr('key', { nested: [1, null, 'two'] })
  array.insert(0, [1, 'two', { three: 3 }, new Uint8Array([4])])
  const element = new Y14.Type('p')
  array.insert(0, [element, new Y14.Type()])
  element.insert(0, 'inner')
  text.insert(4, '.')
  await untilChanged([stock.doc], 'yjs 13 has all', () => textOf(stock).toString() === 'bold.')
  expect(textOf(stock).toDelta()[0]).toEqual({ insert: 'bold', attributes: { strong: true } })
  expect(stock.doc.getMap('map').toJSON()).toEqual({ key: { nested: [1, null, 'two'] } })
  expect(stock.doc.getArray('array').toJSON()).toEqual([
    '<p>inner</p>',
    '',
    1,
    'two',
    { three: 3 },
    new Uint8Array([4]),
  ])
  expect(isPending(stock.doc)).toBe(false)
})

/** Version 4 of y-websocket shows as unsaved, and after 8 s as lost, what it wrote and was not sent back. */
test('R12 yjs 14: a lone writer is sent back all that it wrote', async () => {
  const { url } = await startInProcess({ release })
  const client = candidate(url)
  await synced(client)
  let unconfirmed = Y14.createContentIds()
  client.doc.on('update', (update) => {
    unconfirmed = Y14.mergeContentIds([unconfirmed, Y14.createContentIdsFromUpdate(update)])
  })
  const confirmed = new Promise<void>((resolve) => {
    client.provider.ws?.addEventListener('message', ({ data }) => {
      const message = readServerMessage(new Uint8Array(data))
      if (!('update' in message)) return
      unconfirmed = Y14.excludeContentIds(unconfirmed, Y14.createContentIdsFromUpdate(message.update))
      if (unconfirmed.inserts.isEmpty() && unconfirmed.deletes.isEmpty()) resolve()
    })
  })
  client.doc.get('text').insert(0, 'hello')
  client.doc.get('text').delete(0, 2)
  await confirmed
})

test('R14 yjs 14: fifty reconnects add no entry', async () => {
  const { stock, client, there } = await start()
  await synced(client)
  client.doc.get('text').insert(0, 'some text')
  client.doc.get('text').delete(0, 5)
  await untilChanged([stock.doc], 'yjs 13 reads it', () => textOf(stock).toString() === 'text')
  const last = await lastEntry(there)
  for (let times = 0; times < 50; times++) {
    client.provider.disconnect()
    client.provider.connect()
    await synced(client)
  }
  client.doc.get('text').insert(0, '!')
  await untilChanged([stock.doc], 'yjs 13 reads on', () => textOf(stock).toString() === '!text')
  expect(await lastEntry(there)).toBe(last + 1)
})

test('R22 yjs 14: presence goes both ways', async () => {
  const { stock, client } = await start()
  client.provider.awareness.setLocalStateField('name', 'fourteen')
  await stock.sees(client.provider.awareness.clientID)
  await new Promise<void>((resolve) => {
    const look = () => client.provider.awareness.getStates().has(stock.doc.clientID) && resolve()
    client.provider.awareness.on('change', look)
    look()
  })
})
