import { expect, onTestFinished, test } from 'vitest'
import type { ServerOptions } from '../../server/src/index.ts'
import { documentsApi } from '../support/documents-api.ts'
import { partsOf, requestEvents, type StreamPart } from '../support/event-stream.ts'
import { startInProcess } from '../support/in-process-server.ts'
import { findPostgres, NO_POSTGRES, startPostgres } from '../support/postgres.ts'
import { startServer } from '../support/process.ts'
import { SECRET, token } from '../support/tokens.ts'

const release = onTestFinished

async function start(options?: ServerOptions) {
  const started = await startInProcess({ release, ...(options && { options }) })
  return { ...started, api: documentsApi(started.url) }
}

/** What changes below a prefix, an event at a time. */
async function follow(url: string, prefix: string, lastEventId?: string, headers: Record<string, string> = {}) {
  const path = `api/events?prefix=${encodeURIComponent(prefix)}`
  const response = await requestEvents({ release, url, path, lastEventId, headers })
  const parts = partsOf(response)
  const next = async (): Promise<Extract<StreamPart, { kind: 'event' }> | undefined> => {
    for (;;) {
      const { value } = await parts.next()
      if (!value) return undefined
      if (value.kind === 'event') return value
    }
  }
  return {
    status: response.statusCode,
    next,
    /** The document and the cursor of the next event. */
    change: async () => JSON.parse((await next())?.data ?? 'null'),
    leave: () => response.destroy(),
  }
}

test('tells which documents change, with the cursor that is their ETag', async () => {
  const { url, api, server } = await start()
  const shop = await follow(url, 'shop/')
  expect(await shop.next()).toMatchObject({ name: 'reset', data: '{}' })
  await api.patch('other', { n: 1 })
  const { etag } = await api.patch('shop/apple', { n: 1 })
  expect(await shop.change()).toEqual({ document: 'shop/apple', cursor: etag })
  await server.edit('shop/pear', (doc) => doc.getText('content').insert(0, 'x'))
  expect(await shop.change()).toMatchObject({ document: 'shop/pear' })
})

test('goes on behind the last event, with each document that changed since once, and says where it cannot', async () => {
  const { url, api } = await start()
  const first = await follow(url, 'shop/')
  await first.next()
  await api.patch('shop/apple', { n: 1 })
  const { id } = (await first.next()) ?? {}
  first.leave()
  await api.patch('shop/apple', { n: 2 })
  await api.patch('shop/pear', { n: 1 })
  const { etag } = await api.patch('shop/apple', { n: 3 })
  const second = await follow(url, 'shop/', id)
  expect(await second.change()).toMatchObject({ document: 'shop/pear' })
  expect(await second.change()).toEqual({ document: 'shop/apple', cursor: etag })
  for (const unknown of ['x.1', 'x', `${id?.split('.')[0]}.99`]) {
    expect(await (await follow(url, 'shop/', unknown)).next()).toMatchObject({ name: 'reset' })
  }
})

test('needs the right to list, and ends with the token or its revocation', async () => {
  const { url, api, server } = await start({ authSecret: SECRET })
  const bearer = async (claims: object) => ({ authorization: `Bearer ${await token(claims)}` })
  expect((await follow(url, 'shop/')).status).toBe(401)
  expect((await follow(url, 'shop/', undefined, await bearer({ coedit: { list: ['shop/a*'] } }))).status).toBe(403)
  expect((await follow(url, '', undefined, await bearer({ coedit: { list: ['shop/*'] } }))).status).toBe(403)
  const headers = await bearer({ sub: 'ann', coedit: { list: ['shop/*'] } })
  const shop = await follow(url, 'shop/', undefined, headers)
  expect(await shop.next()).toMatchObject({ name: 'reset' })
  await server.edit('shop/apple', (doc) => doc.getMap('content').set('n', 1))
  expect(await shop.change()).toMatchObject({ document: 'shop/apple' })
  await server.revoke({ user: 'ann' })
  expect(await shop.next()).toBeUndefined()
  expect((await follow(url, 'shop/', undefined, headers)).status).toBe(401)
  expect(await api.read('shop/apple')).toMatchObject({ status: 401 })
})

test('counts as a connection of its user and of its address', async () => {
  const { url } = await start({ authSecret: SECRET, maxConnectionsPerUser: 1 })
  const headers = { authorization: `Bearer ${await token({ sub: 'ann', coedit: { list: ['*'] } })}` }
  expect((await follow(url, '', undefined, headers)).status).toBe(200)
  expect((await follow(url, '', undefined, headers)).status).toBe(429)
})

test('tells of what is written at another server of the database, too', async ({ skip }) => {
  if (findPostgres() === undefined) skip(NO_POSTGRES)
  const postgres = await startPostgres(release)
  const flags = ['--database', await postgres.newDatabase()]
  const nodes = [await startServer({ release, flags }), await startServer({ release, flags })]
  const shop = await follow(nodes[0].url, 'shop/')
  expect(await shop.next()).toMatchObject({ name: 'reset' })
  const { etag } = await documentsApi(nodes[1].url).patch('shop/apple', { n: 1 })
  expect(await shop.change()).toEqual({ document: 'shop/apple', cursor: etag })
  const { etag: own } = await documentsApi(nodes[0].url).patch('shop/apple', { n: 2 })
  expect(await shop.change()).toEqual({ document: 'shop/apple', cursor: own })
})
