import { describe, expect, onTestFinished, test } from 'vitest'
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

/** What changes below a prefix, to which more of the query may be added, an event at a time. */
async function follow(url: string, prefix: string, lastEventId?: string, headers: Record<string, string> = {}) {
  const path = `api/events?prefix=${prefix}`
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

describe('with values', () => {
  const followValues = (url: string, query = '', lastEventId?: string, headers: Record<string, string> = {}) =>
    follow(url, `shop/&as=json&root=stock${query}`, lastEventId, headers)

  test('tells what is in all documents, then in each that changes, and goes on behind the last event', async () => {
    const { url, api } = await start()
    await api.patch('other', { n: 1 }, '?root=stock')
    const { etag } = await api.patch('shop/apple', { n: 1 }, '?root=stock')
    const shop = await followValues(url)
    expect(await shop.next()).toMatchObject({ name: 'reset', id: undefined })
    expect(await shop.change()).toEqual({ document: 'shop/apple', cursor: etag, value: { n: 1 } })
    await api.patch('shop/pear', { n: 2 }, '?root=stock')
    const { data, id } = (await shop.next()) ?? {}
    expect(JSON.parse(data ?? '')).toMatchObject({ document: 'shop/pear', value: { n: 2 } })
    shop.leave()
    await api.patch('shop/pear', { n: 3 }, '?root=stock')
    await api.patch('shop/pear', { n: 4 }, '?root=stock')
    const again = await followValues(url, '', id)
    expect(await again.change()).toMatchObject({ document: 'shop/pear', value: { n: 4 } })
  })

  test('leaves out what is of another kind, with the reason', async () => {
    const { url, api } = await start()
    await api.patch('shop/apple', { n: 1 }, '?root=content')
    const shop = await follow(url, 'shop/&as=text')
    expect(await shop.next()).toMatchObject({ name: 'reset' })
    expect(await shop.next()).toMatchObject({
      name: 'refused',
      data: '{"document":"shop/apple","code":"EDIT_CONFLICT"}',
    })
    await api.patch('shop/pear', [{ index: 0, insert: 'ripe' }])
    expect(await shop.change()).toMatchObject({ document: 'shop/pear', value: 'ripe' })
  })

  test('needs the right to read all of them', async () => {
    const { url } = await start({ authSecret: SECRET })
    const statusWith = async (rights: object) => {
      const headers = { authorization: `Bearer ${await token({ coedit: rights })}` }
      return (await followValues(url, '', undefined, headers)).status
    }
    expect(await statusWith({ list: ['shop/*'] })).toBe(403)
    expect(await statusWith({ list: ['shop/*'], read: ['shop/a*'] })).toBe(403)
    expect(await statusWith({ list: ['*'], write: ['shop/*'] })).toBe(200)
  })

  test('of many changes that come at once, the last value is enough', async () => {
    const { url, api } = await start()
    const shop = await followValues(url)
    expect(await shop.next()).toMatchObject({ name: 'reset' })
    const changes = Array.from({ length: 50 }, () =>
      api.patch('shop/apple', [{ op: 'add', path: '/-', value: 1 }], '?root=stock'),
    )
    await Promise.all(changes)
    let events = 0
    for (let length = 0; length < 50; events++) length = (await shop.change()).value.length
    expect(events).toBeLessThan(50)
  })
})
