import { describe, expect, onTestFinished, test } from 'vitest'
import { Activity } from '../../server/src/document/activity.ts'
import type { ServerOptions } from '../../server/src/index.ts'
import { documentsApi } from '../support/documents-api.ts'
import { edit } from '../support/edits.ts'
import { requestEvents } from '../support/event-stream.ts'
import { startInProcess } from '../support/in-process-server.ts'
import { step2, update } from '../support/messages.ts'
import { connectRaw } from '../support/raw-client.ts'
import { SECRET, token } from '../support/tokens.ts'

const release = onTestFinished
const NAME = 'notes'
const CONNECTIONS = `api/documents/${NAME}/connections`

async function start(options: ServerOptions = {}) {
  const { url } = await startInProcess({ release, options: { nodeName: 'one', hocuspocusPaths: '', ...options } })
  return { url, api: documentsApi(url) }
}

describe('the status', () => {
  test('tells what has happened, and which documents it was', async () => {
    const { url, api } = await start()
    await api.patch(NAME, [{ index: 0, insert: 'hello' }])
    await api.patch('quiet', [{ index: 0, insert: 'hello' }])
    for (let index = 0; index < 3; index++) await api.patch(NAME, [{ index, insert: 'x' }])
    const writer = await connectRaw({ release, url, document: NAME })
    expect(await api.call('DELETE', 'api/documents/missing')).toMatchObject({ status: 404 })
    const { status, body } = await api.call('GET', 'api/status')
    expect(status).toBe(200)
    expect(body).toMatchObject({
      node: 'one',
      connections: 1,
      documents: 2,
      entries: 5,
      storage: { state: 'ok' },
      refusals: { DOCUMENT_MISSING: 1 },
      busiest: [{ name: NAME }, { name: 'quiet' }],
      quarantined: [],
      webhooks: { deliveries: { count: 0 }, failures: 0, parked: 0 },
    })
    writer.send(Uint8Array.of(0, 2, 200))
    const { code } = await writer.closed
    expect((await api.call('GET', 'api/status')).body).toMatchObject({ connections: 0, closes: { [code]: 1 } })
  })

  test('counts who is slowed down, and whose edits do not fit', async () => {
    const { url, api } = await start({ maxDocumentBytes: 1024, maxBytesPerSecond: 1024, maxBurstBytes: 1024 })
    const writer = await connectRaw({ release, url, document: NAME, protocols: ['coedit.v1'] })
    writer.send(step2(), update(edit('x'.repeat(2_000)).update))
    await writer.message('full')
    expect((await api.call('GET', 'api/status')).body).toMatchObject({
      limits: { maxDocumentBytes: 1, maxBytesPerSecond: expect.any(Number) },
    })
  })

  test('is for those alone whose token allows to see it', async () => {
    const { url } = await start({ authSecret: SECRET })
    for (const path of ['api/status', CONNECTIONS]) {
      const ask = async (coedit?: object): Promise<number> => {
        const headers = coedit ? { authorization: `Bearer ${await token({ coedit })}` } : {}
        return (await documentsApi(url, headers).call('GET', path)).status
      }
      expect([path, await ask(), await ask({ write: ['*'], revoke: true }), await ask({ status: true })]).toEqual([
        path,
        401,
        403,
        200,
      ])
    }
  })
})

describe('who is connected', () => {
  test('is told with address and access, and each can be closed alone', async () => {
    const { url } = await start({ authSecret: SECRET, trustProxy: '127.0.0.1,::1' })
    const api = documentsApi(url, {
      authorization: `Bearer ${await token({ coedit: { status: true, revoke: true } })}`,
    })
    const join = async (sub: string, rights: object, document = NAME) =>
      connectRaw({ release, url, document, query: `?token=${await token({ sub, coedit: rights })}` })
    const ada = await join('ada', { write: ['*'] })
    const eve = await join('eve', { read: ['*'] })
    const elsewhere = await join('ada', { write: ['*'] }, 'other')
    for (const client of [ada, eve, elsewhere]) await client.follow()
    const headers = {
      authorization: `Bearer ${await token({ sub: 'ann', coedit: { read: ['*'] } })}`,
      'x-forwarded-for': '203.0.113.7',
    }
    await requestEvents({ release, url, segment: NAME, headers })
    const { body } = await api.call('GET', CONNECTIONS)
    expect(body).toMatchObject({
      connections: [
        { user: 'ada', access: 'write' },
        { user: 'eve', access: 'read' },
        { user: 'ann', access: 'read', address: '203.0.113.7' },
      ],
    })
    const [{ id = Number.NaN } = {}] = Object(body).connections
    const close = (connection: number) =>
      api.call('POST', `api/documents/${NAME}/disconnect`, { type: 'application/json', body: { connection } })
    expect(await close(id)).toMatchObject({ status: 204 })
    expect((await ada.closed).code).toBe(1012)
    expect(await close(id)).toMatchObject({ status: 204 })
    for (const client of [eve, elsewhere]) await client.roundTrip()
    expect((await api.call('GET', CONNECTIONS)).body).toMatchObject({ connections: [{ user: 'eve' }, { user: 'ann' }] })
  })
})

test('activity is what happened of late, a minute', () => {
  const activity = new Activity()
  for (let second = 0; second < 600; second++) activity.note(2, second * 1000)
  expect(activity.perMinute(600_000)).toBeCloseTo(120, -1)
  expect(activity.perMinute(630_000)).toBeCloseTo(60, -1)
  expect(activity.perMinute(3_600_000)).toBeCloseTo(0)
})
