import { expect, onTestFinished, test } from 'vitest'
import type { Awareness } from 'y-protocols/awareness'
import * as Y from 'yjs'
import type { Peer } from '../../client/src/peers/peer.ts'
import { watchPresence } from '../../client/src/peers/presence.ts'
import { afterTests } from '../support/after-tests.ts'
import { documentsApi } from '../support/documents-api.ts'
import { hocuspocusClient } from '../support/hocuspocus-clients.ts'
import { type InProcessOptions, startInProcess } from '../support/in-process-server.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { findPostgres, NO_POSTGRES, startPostgres } from '../support/postgres.ts'
import { syncedClient } from '../support/stock-clients.ts'
import { untilChanged } from '../support/until.ts'

const release = onTestFinished
const NAME = 'notes'
const PATH = `api/documents/${NAME}/presence/robot`
const JSON_TYPE = 'application/json'

async function start(settings: Omit<InProcessOptions, 'release'> = {}) {
  const { server, url } = await startInProcess({ release, ...settings })
  const api = documentsApi(url)
  const show = (body: object, path = PATH) => api.call('PUT', path, { type: JSON_TYPE, body })
  return { server, url, api, show }
}

/** Resolves with who is shown to the client of an awareness, when that is so. */
async function whenShown(awareness: Awareness, isSo: (peers: readonly Peer[]) => boolean): Promise<readonly Peer[]> {
  const presence = watchPresence(awareness)
  await new Promise<void>((resolve) => {
    const look = () => isSo(presence.peers) && resolve()
    presence.subscribe(look)
    look()
  })
  return presence.peers
}

function showsNames(awareness: Awareness, ...names: string[]): Promise<readonly Peer[]> {
  return whenShown(awareness, (peers) => JSON.stringify(peers.map(({ name }) => name).sort()) === JSON.stringify(names))
}

test('a service is shown to editors of both dialects, with a cursor that moves with the text', async () => {
  const { server, url, api, show } = await start()
  await server.edit(NAME, (doc) => doc.getText('content').insert(0, 'hello world'))
  const stock = await syncedClient({ release, url, document: NAME })
  const hocuspocus = hocuspocusClient({ release, url, document: NAME })
  await hocuspocus.synced()
  const { awareness } = hocuspocus.provider
  if (!awareness) throw new Error('there is no awareness')
  expect(await show({ name: 'Robot', color: '#30bced', cursor: { anchor: 6, head: 11 } })).toMatchObject({
    status: 204,
  })
  await server.edit(NAME, (doc) => doc.getText('content').insert(0, 'oh, '))
  for (const [doc, some] of [
    [stock.doc, stock.provider.awareness],
    [hocuspocus.doc, awareness],
  ] as const) {
    await untilChanged([doc], 'it has the text', () => String(doc.getText('content')) === 'oh, hello world')
    const peers = await showsNames(some, ...(['Anonymous', 'Robot'] as const))
    const robot = peers.find(({ name }) => name === 'Robot')
    expect(robot).toMatchObject({ color: '#30bced' })
    const places = [robot?.cursor?.anchor, robot?.cursor?.head].map(
      (place) => place && Y.createAbsolutePositionFromRelativePosition(place, doc)?.index,
    )
    expect(places).toEqual([10, 15])
  }
  expect(await show({ name: 'Robot', cursor: null })).toMatchObject({ status: 204 })
  const { body } = await api.call('GET', `api/documents/${NAME}/presence`)
  expect(JSON.stringify(body)).toContain('{"user":{"name":"Robot"},"cursor":null}')
  expect((await api.call('DELETE', PATH)).status).toBe(204)
  await showsNames(stock.provider.awareness, 'Anonymous')
})

test('who does not renew is gone when its time is over, and who does stays', async () => {
  const clock = new ManualClock()
  const { api, show } = await start({ clock })
  const present = async () => {
    const { body } = await api.call('GET', `api/documents/${NAME}/presence`)
    return JSON.stringify(body).match(/"name":"\w+"/g) ?? []
  }
  await show({ name: 'short', ttl: 10 }, `api/documents/${NAME}/presence/1`)
  await show({ name: 'long', ttl: 60 }, `api/documents/${NAME}/presence/2`)
  expect(await present()).toEqual(['"name":"short"', '"name":"long"'])
  clock.advance(9_000)
  await show({ name: 'short', ttl: 10 }, `api/documents/${NAME}/presence/1`)
  clock.advance(9_999)
  expect(await present()).toHaveLength(2)
  clock.advance(1)
  expect(await present()).toEqual(['"name":"long"'])
  clock.advance(60_000)
  expect(await present()).toEqual([])
  await show({ name: 'short' }, `api/documents/${NAME}/presence/1`)
  expect(await present()).toEqual(['"name":"short"'])
})

test('what is none, or nobody may show, is refused', async () => {
  const { show } = await start({ options: { maxConnectionsPerDocument: 2, maxPresenceBytes: 300 } })
  const bad = [
    {},
    { name: '' },
    { name: 'x', color: 'red' },
    { name: 'x', ttl: 61 },
    { name: 'x', cursor: { anchor: -1 } },
    { name: 'x', more: 1 },
  ]
  for (const body of [...bad, { name: '😀'.repeat(120) }]) {
    expect(await show(body)).toMatchObject({ status: 400, code: 'BODY_INVALID' })
  }
  expect(await show({ name: 'x', cursor: { anchor: 0 } })).toMatchObject({ status: 404, code: 'DOCUMENT_MISSING' })
  for (const id of ['1', '2', '1']) expect(await show({ name: 'x' }, `${PATH}${id}`)).toMatchObject({ status: 204 })
  expect(await show({ name: 'x' }, `${PATH}3`)).toMatchObject({ status: 429 })
  const { show: showNobody } = await start({ options: { presenceFrom: 'nobody' } })
  expect(await showNobody({ name: 'x' })).toMatchObject({ status: 403 })
})

if (findPostgres() === undefined) test('at all servers', ({ skip }) => skip(NO_POSTGRES))
else {
  const postgres = await startPostgres(afterTests())

  test('at all servers it is one, whichever it renews itself at', async () => {
    const database = await postgres.newDatabase()
    const [mine, theirs] = [await start({ options: { database } }), await start({ options: { database } })]
    const clients = await Promise.all([mine, theirs].map(({ url }) => syncedClient({ release, url, document: NAME })))
    const names = ['Anonymous', 'Robot'] as const
    await mine.show({ name: 'Robot' })
    for (const { provider } of clients) await showsNames(provider.awareness, ...names)
    await theirs.show({ name: 'Robot', color: '#123456' })
    for (const { provider } of clients) {
      const peers = await whenShown(provider.awareness, (some) => some.some(({ color }) => color === '#123456'))
      expect(peers).toHaveLength(2)
    }
    await mine.server.close()
    await showsNames(clients[1].provider.awareness, 'Robot')
  })
}
