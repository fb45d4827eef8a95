import { expect, onTestFinished, test } from 'vitest'
import type { ServerOptions } from '../../server/src/index.ts'
import { afterTests } from '../support/after-tests.ts'
import { documentsApi } from '../support/documents-api.ts'
import { hocuspocusClient } from '../support/hocuspocus-clients.ts'
import { startInProcess } from '../support/in-process-server.ts'
import { findPostgres, NO_POSTGRES, startPostgres } from '../support/postgres.ts'
import { connectRaw } from '../support/raw-client.ts'
import { allRead, syncedClient, textOf } from '../support/stock-clients.ts'
import { SECRET, token } from '../support/tokens.ts'

const release = onTestFinished
const NAME = 'notes'
const DISCONNECT = `api/documents/${NAME}/disconnect`
const DISCONNECTED = { code: 1012, reason: 'the server was asked to disconnect; come back' }

async function start(options: ServerOptions = {}) {
  const { server, url } = await startInProcess({ release, options: { authSecret: SECRET, ...options } })
  return { server, url }
}

async function join(url: string, user: string, document = NAME) {
  const coedit = { write: ['*'] }
  const client = await connectRaw({ release, url, document, query: `?token=${await token({ sub: user, coedit })}` })
  await client.until('it has joined', () => client.messages.length > 0)
  return client
}

async function admin(url: string) {
  return documentsApi(url, { authorization: `Bearer ${await token({ coedit: { revoke: true } })}` })
}

test('one user is disconnected from one document, whatever it speaks, and may come back', async () => {
  const { url } = await start()
  const [ada, elsewhere, eve] = await Promise.all([join(url, 'ada'), join(url, 'ada', 'other'), join(url, 'eve')])
  const hocuspocus = hocuspocusClient({
    release,
    url,
    document: NAME,
    token: await token({ coedit: { write: ['*'] } }),
  })
  await hocuspocus.synced()
  const api = await admin(url)
  expect(await api.call('POST', DISCONNECT, { type: 'application/json', body: { user: 'ada' } })).toMatchObject({
    status: 204,
  })
  expect(await ada.closed).toEqual(DISCONNECTED)
  await hocuspocus.happens('close')
  for (const client of [eve, elsewhere]) await client.roundTrip()
  await join(url, 'ada')
})

test('everybody is disconnected, and comes back by itself', async () => {
  const { server, url } = await start()
  const params = { token: await token() }
  const clients = await Promise.all([1, 2].map(() => syncedClient({ release, url, document: NAME, params })))
  const events = await fetch(`${url}api/documents/${NAME}/events?token=${params.token}`)
  const lost = Promise.all(clients.map((client) => client.lost()))
  await server.disconnect(NAME)
  await lost
  await events.text()
  textOf(clients[0]).insert(0, 'on it goes')
  await allRead(clients, 'on it goes')
})

test('who may not revoke may not disconnect, and what names nobody is refused', async () => {
  const { url } = await start()
  const writer = documentsApi(url, { authorization: `Bearer ${await token()}` })
  expect(await documentsApi(url).call('POST', DISCONNECT)).toMatchObject({ status: 401 })
  expect(await writer.call('POST', DISCONNECT)).toMatchObject({ status: 403, code: 'FORBIDDEN' })
  const api = await admin(url)
  for (const body of [{ user: 1 }, { other: 'x' }, '{']) {
    const answer = await api.call('POST', DISCONNECT, { type: 'application/json', body })
    expect(answer).toMatchObject({ status: 400, code: 'BODY_INVALID' })
  }
})

if (findPostgres() === undefined) test('at all servers', ({ skip }) => skip(NO_POSTGRES))
else {
  const postgres = await startPostgres(afterTests())

  test('at all servers, also by one at which nobody is', async () => {
    const database = await postgres.newDatabase()
    const nodes = await Promise.all([start({ database }), start({ database }), start({ database })])
    const [, ...others] = nodes
    const clients = await Promise.all(others.map(({ url }) => join(url, 'ada')))
    const eve = await join(others[0].url, 'eve')
    await nodes[0].server.disconnect(NAME, { user: 'ada' })
    for (const { closed } of clients) expect(await closed).toEqual(DISCONNECTED)
    await eve.roundTrip()
    await nodes[0].server.disconnect(NAME)
    expect(await eve.closed).toEqual(DISCONNECTED)
  })
}
