import { randomBytes } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import { expect, onTestFinished, test } from 'vitest'
import type { CoeditServer, ServerOptions } from '../../server/src/index.ts'
import { failureAfter } from '../../server/src/webhooks/retrying.ts'
import { documentsApi } from '../support/documents-api.ts'
import { startInProcess } from '../support/in-process-server.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { Receiver } from '../support/receiver.ts'
import { temporaryDirectory } from '../support/temporary.ts'
import { SECRET, token } from '../support/tokens.ts'

const release = onTestFinished
/** How often it is looked for what is untold. */
const LOOK_MS = 2_000
/** Between two commits, where the clock is not that of the system. */
const COMMIT_MS = 10
const LOOPBACK = '127.0.0.1'

/** A server that tells this machine, and without quiet unless that is asked for. */
async function start(options: ServerOptions = {}, clock?: ManualClock) {
  const given = { webhookAddresses: LOOPBACK, ...options }
  const { server, url, logged } = await startInProcess({ release, options: given, ...(clock && { clock }) })
  const api = documentsApi(url)
  const tell = async (receiver: Receiver, wish: object = {}): Promise<string> => {
    const { status, body } = await api.call('POST', 'api/webhooks', {
      type: 'application/json',
      body: { url: receiver.url, quietMs: 0, ...wish },
    })
    expect(status).toBe(201)
    const { id, secret } = Object(body)
    receiver.trust(secret)
    return id
  }
  const failures = async (id: string) => Object((await api.call('GET', `api/webhooks/${id}/failures`)).body).failures
  return { server, url, logged, api, tell, failures }
}

/** Writes at the beginning of a document, by a clock that stands still. */
async function edit(server: CoeditServer, clock: ManualClock, document: string, text = 'text'): Promise<void> {
  const edited = server.edit(document, (doc) => doc.getText('content').insert(0, text))
  await clock.hasTimerOf(COMMIT_MS)
  clock.advance(COMMIT_MS)
  await edited
}

const patch = (value: unknown) => ({ value })

test('what happens to a document is told in order, signed, with its content; what happens to others is not', async () => {
  const { server, api, tell } = await start()
  const receiver = await Receiver.start({ release })
  await tell(receiver, {
    prefixes: ['team/', 'shop'],
    roots: [
      { root: 'stock', as: 'json' },
      { root: 'content', as: 'text' },
    ],
  })
  await api.patch('other', patch(1), '?root=stock')
  const made = await api.patch('shop', { apple: 3 }, '?root=stock')
  await receiver.until(() => receiver.told.length === 1)
  await server.edit('shop', (doc) => doc.getText('content').insert(0, 'a "text" 😀'))
  await receiver.until(() => receiver.told.length === 2)
  await server.delete('shop')
  await receiver.until(() => receiver.told.length === 3)
  await api.call('PUT', 'api/documents/shop')
  await receiver.until(() => receiver.told.length === 4)
  expect(receiver.told).toMatchObject([
    {
      type: 'document.created',
      data: { document: 'shop', cursor: made.etag, roots: { stock: { apple: 3 }, content: '' } },
    },
    { type: 'document.changed', data: { roots: { stock: { apple: 3 }, content: 'a "text" 😀' } } },
    { type: 'document.deleted', data: { document: 'shop' } },
    { type: 'document.created', data: { document: 'shop', roots: { stock: null, content: '' } } },
  ])
  expect(receiver.told[2].data).toEqual({ document: 'shop' })
  expect(receiver.refused).toEqual([])
  expect(new Set(receiver.told.map(({ id }) => id)).size).toBe(4)
})

test('a root of another kind, and one that is too large, are named; the others are told', async () => {
  const { api, tell } = await start()
  const receiver = await Receiver.start({ release })
  const roots = [
    { root: 'map', as: 'text' },
    { root: 'large', as: 'text' },
    { root: 'small', as: 'text' },
  ]
  await api.call('PUT', 'api/documents/doc', {
    type: 'application/json',
    body: { map: { a: 1 }, large: 'x'.repeat(1024 * 1024), small: 'y' },
  })
  await tell(receiver, { roots })
  await api.patch('doc', [{ index: 1, insert: 'z' }], '?root=small')
  await receiver.until(() => receiver.told.length === 1)
  expect(receiver.told[0]).toMatchObject({
    type: 'document.changed',
    data: { roots: { small: 'yz' }, unread: { map: 'EDIT_CONFLICT', large: 'BODY_TOO_LARGE' } },
  })
})

test('those that want some events are told of no others', async () => {
  const { server, api, tell } = await start()
  const receivers = await Promise.all([0, 1, 2].map(() => Receiver.start({ release })))
  const events = ['document.created', 'document.changed', 'document.deleted'] as const
  for (const [index, receiver] of receivers.entries()) await tell(receiver, { events: [events[index]] })
  await api.patch('doc', patch(1))
  await receivers[0].until(() => receivers[0].told.length === 1)
  await api.patch('doc', patch(2))
  await receivers[1].until(() => receivers[1].told.length === 1)
  await server.delete('doc')
  await receivers[2].until(() => receivers[2].told.length === 1)
  expect(receivers.map(({ told }) => told.map(({ type }) => type))).toEqual(events.map((event) => [event]))
})

test('is told when nobody has written for quietMs, and at the latest after maxWaitMs', async () => {
  const clock = new ManualClock(Date.now())
  const { server, tell } = await start({}, clock)
  const receiver = await Receiver.start({ release })
  await tell(receiver, { quietMs: 500, maxWaitMs: 900, roots: [{ root: 'content', as: 'text' }] })
  const type = (letter: string) => edit(server, clock, 'doc', letter)
  await type('a')
  clock.advance(400)
  await type('b')
  clock.advance(400)
  await type('c')
  expect(receiver.told).toEqual([])
  clock.advance(100)
  await receiver.until(() => receiver.told.length === 1)
  expect(receiver.told[0]).toMatchObject({ type: 'document.created', data: { roots: { content: 'cba' } } })
  await type('d')
  clock.advance(499)
  expect(receiver.told).toHaveLength(1)
  clock.advance(1)
  await receiver.until(() => receiver.told.length === 2)
})

test('a receiver that fails is tried again ever later, and in the end only when that is asked for', async () => {
  const clock = new ManualClock(Date.now())
  const { server, api, tell, failures, logged } = await start({ webhookRetryMs: 60_000 }, clock)
  const receiver = await Receiver.start({ release, answer: (_, response) => response.writeHead(503).end() })
  const id = await tell(receiver, { roots: [{ root: 'content', as: 'text' }] })
  await edit(server, clock, 'doc')
  for (let attempts = 1; ; attempts++) {
    await receiver.until(() => receiver.told.length === attempts)
    let [failure] = await failures(id)
    while (failure?.attempts !== attempts) [failure] = await failures(id)
    expect(failure).toMatchObject({ document: 'doc', reason: 'it answered 503' })
    if (failure.retryAt === null) break
    const wait = Date.parse(failure.retryAt) - clock.now()
    expect(wait).toBeLessThanOrEqual(1_000 * 2 ** (attempts - 1))
    // Each look but the first, which was before the commit, is at the moment of the last advance.
    await clock.hasTimerOf(attempts === 1 ? LOOK_MS - COMMIT_MS : LOOK_MS)
    clock.advance(Math.max(wait + 1, LOOK_MS))
  }
  await logged('a webhook is told no more of a document until somebody asks for it')
  expect(receiver.told.length).toBeGreaterThan(5)
  expect(new Set(receiver.told.map((told) => told.id)).size).toBe(1)
  const count = receiver.told.length
  receiver.answers((_, response) => response.writeHead(200).end('well'))
  clock.advance(60_000)
  expect(receiver.told).toHaveLength(count)
  const retry = { type: 'application/json', body: { document: 'doc' } }
  expect(await api.call('POST', `api/webhooks/${id}/retry`, retry)).toMatchObject({ status: 204 })
  await receiver.until(() => receiver.told.length === count + 1)
  expect(receiver.told[count]).toEqual(receiver.told[0])
  while ((await failures(id)).length > 0);
})

test('pauses double up to 6 h with jitter, and the last attempt is when the time is over', () => {
  const rules = { webhookRetryMs: 3 * 24 * 3_600_000 }
  let now = 0
  let failure = failureAfter(undefined, { reason: 'x' }, now, rules, 0)
  const pauses: number[] = []
  while (failure.retryAt !== null) {
    pauses.push(failure.retryAt - now)
    now = failure.retryAt
    failure = failureAfter(failure, { reason: 'x' }, now, rules, 0)
  }
  expect(pauses.slice(0, 4)).toEqual([1000, 2000, 4000, 8000])
  expect(Math.max(...pauses)).toBe(6 * 3_600_000)
  expect(now).toBe(rules.webhookRetryMs)
  expect(failure.count).toBe(pauses.length + 1)
  const first = (random: number, retryAfterMs = 0) =>
    failureAfter(undefined, { reason: 'x', retryAfterMs }, 0, rules, random).retryAt
  expect(first(0.999)).toBeGreaterThanOrEqual(500)
  expect(first(0, 30_000)).toBe(30_000)
  expect(first(0, 1e12)).toBe(6 * 3_600_000)
})

test('a receiver that says that it is gone is not tried again', async () => {
  const { api, tell, failures } = await start()
  const receiver = await Receiver.start({ release, answer: (_, response) => response.writeHead(410).end() })
  const id = await tell(receiver)
  await api.patch('doc', patch(1))
  let [failure] = await failures(id)
  while (!failure) [failure] = await failures(id)
  expect(failure).toMatchObject({ attempts: 1, retryAt: null, reason: 'it answered 410' })
})

test('a receiver that is dead and one that does not answer keep no other from being told', async () => {
  const { api, tell, failures } = await start()
  const dead = await Receiver.start({ release })
  const id = await tell(dead)
  await dead.close()
  const held: ServerResponse[] = []
  const slow = await Receiver.start({ release, answer: (_, response) => void held.push(response) })
  const good = await Receiver.start({ release })
  await tell(slow)
  await tell(good)
  const names = Array.from({ length: 40 }, (_, index) => `doc-${index}`)
  await Promise.all(names.map((name) => api.patch(name, patch(1))))
  await good.until(() => new Set(good.told.map(({ data }) => data.document)).size === names.length)
  expect(held.length).toBeLessThanOrEqual(8)
  // It has not answered, so it is told of each document once at a time, and goes on when it answers.
  expect(new Set(slow.told.map(({ data }) => data.document)).size).toBe(slow.told.length)
  slow.answers((_, response) => response.writeHead(204).end())
  for (const response of held) response.writeHead(204).end()
  await slow.until(() => new Set(slow.told.map(({ data }) => data.document)).size === names.length)
  while ((await failures(id)).length < names.length);
})

test('what is to be told of a document that is deleted is erased, and the deletion is told all the same', async () => {
  const clock = new ManualClock(Date.now())
  const { server, tell, failures } = await start({}, clock)
  const receiver = await Receiver.start({ release, answer: (_, response) => response.writeHead(500).end() })
  const id = await tell(receiver, { roots: [{ root: 'content', as: 'text' }] })
  await edit(server, clock, 'doc')
  while ((await failures(id)).length === 0);
  receiver.told.length = 0
  receiver.answers((_, response) => response.writeHead(204).end())
  await server.delete('doc')
  await receiver.until(() => receiver.told.length === 1)
  await clock.hasTimerOf(LOOK_MS - COMMIT_MS)
  // The answer to the deletion may still be on its way, and is waited for longer than that.
  clock.advance(10_000)
  await clock.hasTimerOf(LOOK_MS)
  await edit(server, clock, 'other')
  await receiver.until(() => receiver.of('other').length === 1)
  expect(receiver.of('doc')).toMatchObject([{ type: 'document.deleted', data: { document: 'doc' } }])
  while ((await failures(id)).length > 0);
})

test('is made, listed and deleted by the API; its secret is shown once', async () => {
  const { api, tell } = await start()
  const receiver = await Receiver.start({ release })
  const id = await tell(receiver, { prefixes: ['team/'] })
  const shown = await api.call('GET', `api/webhooks/${id}`)
  expect(shown).toMatchObject({
    status: 200,
    body: { id, url: receiver.url, prefixes: ['team/'], isConfigured: false },
  })
  const listed = await api.call('GET', 'api/webhooks?prefix=te')
  expect(listed.body).toEqual({ webhooks: [shown.body] })
  expect((await api.call('GET', 'api/webhooks?prefix=x')).body).toEqual({ webhooks: [] })
  expect(JSON.stringify([shown, listed])).not.toContain('whsec_')
  expect(await api.call('DELETE', `api/webhooks/${id}`)).toMatchObject({ status: 204 })
  expect(await api.call('DELETE', `api/webhooks/${id}`)).toMatchObject({ status: 404, code: 'WEBHOOK_MISSING' })
  await api.patch('team/doc', patch(1))
  const other = await Receiver.start({ release })
  await tell(other)
  await api.patch('team/doc', patch(2))
  await other.until(() => other.told.length === 1)
  expect(receiver.told).toEqual([])
})

test.each([
  ['no URL', { url: 'nothing' }, 'BODY_INVALID'],
  ['another protocol', { url: 'ftp://example.com/' }, 'BODY_INVALID'],
  ['a user in the URL', { url: 'https://me:secret@example.com/' }, 'BODY_INVALID'],
  ['an event that there is not', { events: ['document.read'] }, 'BODY_INVALID'],
  ['a field that there is not', { secret: 'mine' }, 'BODY_INVALID'],
  ['too many prefixes', { prefixes: Array.from({ length: 17 }, String) }, 'BODY_INVALID'],
  ['this machine', { url: 'https://127.0.0.1/' }, 'WEBHOOK_ADDRESS'],
  ['a public address without TLS', { url: 'http://8.8.8.8/' }, 'WEBHOOK_ADDRESS'],
])('%s is refused', async (_, wish, code) => {
  const { api } = await start({ webhookAddresses: '' })
  const body = { url: 'https://example.com/', ...wish }
  expect(await api.call('POST', 'api/webhooks', { type: 'application/json', body })).toMatchObject({
    status: 400,
    code,
  })
})

test('are for those alone whose token has the right for all documents of them', async () => {
  const { url } = await start({ authSecret: SECRET })
  const as = async (coedit: object) => documentsApi(url, { authorization: `Bearer ${await token({ coedit })}` })
  const make = (prefixes: readonly string[]) => ({
    type: 'application/json',
    body: { url: 'https://example.com/', prefixes },
  })
  const [team, all, none] = await Promise.all([
    as({ webhooks: ['team/*'] }),
    as({ webhooks: ['*'] }),
    as({ write: ['*'], list: ['*'], revoke: true, status: true }),
  ])
  expect(await documentsApi(url).call('GET', 'api/webhooks')).toMatchObject({ status: 401 })
  for (const prefixes of [['team/'], ['']]) {
    expect(await none.call('POST', 'api/webhooks', make(prefixes))).toMatchObject({ status: 403 })
  }
  expect(await team.call('POST', 'api/webhooks', make(['team/', '']))).toMatchObject({ status: 403, code: 'FORBIDDEN' })
  const mine = Object((await team.call('POST', 'api/webhooks', make(['team/a', 'team/b']))).body)
  const theirs = Object((await all.call('POST', 'api/webhooks', make(['']))).body)
  expect(await team.call('GET', 'api/webhooks?prefix=team/')).toMatchObject({ body: { webhooks: [{ id: mine.id }] } })
  expect(await team.call('GET', 'api/webhooks')).toMatchObject({ status: 403 })
  for (const [method, rest] of [
    ['GET', ''],
    ['DELETE', ''],
    ['GET', '/failures'],
    ['POST', '/retry'],
  ] as const) {
    expect(await team.call(method, `api/webhooks/${theirs.id}${rest}`)).toMatchObject({ status: 403 })
    expect(await none.call(method, `api/webhooks/${mine.id}${rest}`)).toMatchObject({ status: 403 })
  }
  expect(await team.call('DELETE', `api/webhooks/${mine.id}`)).toMatchObject({ status: 204 })
})

test('are for nobody where an app decides itself who may do what', async () => {
  const { url } = await startInProcess({ release, authenticate: () => ({ access: 'write' }) })
  const api = documentsApi(url, { authorization: 'Bearer any' })
  const body = { url: 'https://example.com/' }
  expect(await api.call('POST', 'api/webhooks', { type: 'application/json', body })).toMatchObject({ status: 401 })
  expect(await api.call('GET', 'api/webhooks')).toMatchObject({ status: 401 })
})

test('those of the configuration are there from the start on, and gone when they are no longer in it', async () => {
  const receiver = await Receiver.start({ release })
  const secret = `whsec_${randomBytes(24).toString('base64')}`
  receiver.trust(secret)
  const data = await temporaryDirectory(release)
  const webhooks = JSON.stringify([{ id: 'search', secret, url: receiver.url, quietMs: 0 }])
  const first = await start({ data, webhooks })
  const found = await first.api.call('GET', 'api/webhooks/search')
  expect(found).toMatchObject({ status: 200, body: { isConfigured: true } })
  expect(await first.api.call('DELETE', 'api/webhooks/search')).toMatchObject({
    status: 409,
    code: 'WEBHOOK_CONFIGURED',
  })
  await first.api.patch('doc', patch(1))
  await receiver.until(() => receiver.told.length === 1)
  await first.server.close()
  const second = await start({ data, webhooks })
  expect((await second.api.call('GET', 'api/webhooks/search')).body).toEqual(found.body)
  await second.server.close()
  const third = await start({ data })
  expect(await third.api.call('GET', 'api/webhooks/search')).toMatchObject({ status: 404 })
})

test.each([
  ['no JSON', '[{'],
  ['no such file', './nowhere.json'],
  ['no secret', JSON.stringify([{ id: 'a', url: 'https://example.com/' }])],
  ['a short secret', JSON.stringify([{ id: 'a', url: 'https://example.com/', secret: 'whsec_c2hvcnQ=' }])],
])('a configuration with %s is refused', async (_, webhooks) => {
  await expect(start({ webhooks })).rejects.toMatchObject({ code: 'OPTION_INVALID' })
})

test('deliveries and failures are counted', async () => {
  const { url, api, tell } = await start()
  const good = await Receiver.start({ release })
  const gone = await Receiver.start({ release, answer: (_, response) => response.writeHead(410).end() })
  await tell(good)
  await tell(gone)
  await api.patch('doc', patch(1))
  let text = ''
  const samples = ['coedit_webhook_seconds_count 1', 'coedit_webhook_failures_total 1', 'coedit_webhook_parked_total 1']
  while (!samples.every((sample) => text.includes(sample))) text = await (await fetch(`${url}metrics`)).text()
})
