import { describe, expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import type { ServerOptions } from '../../server/src/index.ts'
import { afterTests } from '../support/after-tests.ts'
import { documentsApi } from '../support/documents-api.ts'
import { startInProcess } from '../support/in-process-server.ts'
import { findPostgres, NO_POSTGRES, startPostgres } from '../support/postgres.ts'
import { startServer } from '../support/process.ts'
import { temporaryDirectory } from '../support/temporary.ts'
import { SECRET, token } from '../support/tokens.ts'

const release = onTestFinished
const NAME = 'shop'

/** Adds a letter: done twice, it shows. */
const ADD = [{ index: 0, insert: 'x' }]
const keyed = (key: string) => ({ headers: { 'idempotency-key': key } })

async function start(options: ServerOptions) {
  const { server, url } = await startInProcess({ release, options })
  return { server, url, api: documentsApi(url) }
}

describe('on LevelDB', () => onEngine(async () => ({ data: await temporaryDirectory(release) })))

if (findPostgres() === undefined) test('on PostgreSQL', ({ skip }) => skip(NO_POSTGRES))
else {
  const postgres = await startPostgres(afterTests())
  describe('on PostgreSQL', () => {
    onEngine(async () => ({ database: await postgres.newDatabase() }))

    test('a retry at another server is answered as the first was', async () => {
      const database = await postgres.newDatabase()
      const [mine, theirs] = [await start({ database }), await start({ database })]
      const first = await mine.api.patch(NAME, ADD, '', keyed('a'))
      expect(await theirs.api.patch(NAME, ADD, '', keyed('a'))).toEqual(first)
      expect(await theirs.api.read(NAME, '?root=content')).toMatchObject({ body: 'x' })
    })
  })
}

function onEngine(newPlace: () => Promise<ServerOptions>): void {
  test('a retry changes nothing, and is answered as the first was, whatever came between', async () => {
    const { api } = await start(await newPlace())
    const first = await api.patch(NAME, ADD, '', keyed('a'))
    expect(first.status).toBe(204)
    await api.patch(NAME, ADD)
    expect(await api.patch(NAME, ADD, '', keyed('a'))).toEqual(first)
    expect((await api.patch(NAME, ADD, '', keyed('b'))).status).toBe(204)
    expect(await api.read(NAME, '?root=content')).toMatchObject({ body: 'xxx' })
  })

  test('also of what has changed nothing, of a creation and of an update', async () => {
    const { api } = await start(await newPlace())
    const put = { type: 'application/json', body: { content: 'x', map: { a: 1 } }, ...keyed('a') }
    const made = await api.call('PUT', `api/documents/${NAME}`, put)
    expect(made.status).toBe(201)
    expect(await api.call('PUT', `api/documents/${NAME}`, put)).toEqual(made)
    const test = [{ op: 'test', path: '/a', value: 1 }]
    const tested = await api.patch(NAME, test, '?root=map', keyed('b'))
    await api.patch(NAME, { a: 2 }, '?root=map')
    expect(await api.patch(NAME, test, '?root=map', keyed('b'))).toEqual(tested)
    expect(await api.patch(NAME, test, '?root=map', keyed('c'))).toMatchObject({ status: 409 })
    const doc = new Y.Doc()
    doc.getText('content').insert(0, 'y')
    const post = { body: Y.encodeStateAsUpdate(doc), ...keyed('d') }
    const posted = await api.call('POST', `api/documents/${NAME}/updates`, post)
    expect(posted.status).toBe(204)
    await api.patch(NAME, ADD)
    expect(await api.call('POST', `api/documents/${NAME}/updates`, post)).toEqual(posted)
  })

  test('of a deletion as well, which does not take what was made since', async () => {
    const { api } = await start(await newPlace())
    const remove = (key: string) => api.call('DELETE', `api/documents/${NAME}`, keyed(key))
    const make = () => api.call('PUT', `api/documents/${NAME}`, { type: 'text/plain', body: 'new' })
    await make()
    expect(await Promise.all([remove('a'), remove('a')])).toMatchObject([{ status: 204 }, { status: 204 }])
    expect(await remove('b')).toMatchObject({ status: 410 })
    expect(await api.patch(NAME, ADD, '', keyed('a'))).toMatchObject({ status: 422, code: 'KEY_REUSED' })
    await make()
    expect(await remove('a')).toMatchObject({ status: 204 })
    expect(await api.read(NAME, '?root=content')).toMatchObject({ body: 'new' })
    expect(await remove('b')).toMatchObject({ status: 204 })
  })

  test('another request with the key is refused, and what was refused is tried anew', async () => {
    const { api } = await start(await newPlace())
    await api.patch(NAME, ADD, '', keyed('a'))
    const reused = { status: 422, code: 'KEY_REUSED' }
    expect(await api.patch(NAME, [{ index: 0, insert: 'y' }], '', keyed('a'))).toMatchObject(reused)
    expect(await api.patch(NAME, ADD, '?root=other', keyed('a'))).toMatchObject(reused)
    expect(await api.patch('other', ADD, '', keyed('a'))).toMatchObject({ status: 204 })
    for (const bad of ['', 'k'.repeat(256)]) {
      expect(await api.patch(NAME, ADD, '', keyed(bad))).toMatchObject({ status: 400, code: 'REQUEST_INVALID' })
    }
    const replace = [{ find: 'later', replace: 'now' }]
    expect(await api.patch(NAME, replace, '', keyed('c'))).toMatchObject({ status: 409 })
    await api.patch(NAME, [{ index: 0, insert: 'later ' }])
    expect(await api.patch(NAME, replace, '', keyed('c'))).toMatchObject({ status: 204 })
    expect(await api.read(NAME, '?root=content')).toMatchObject({ body: 'now x' })
  })

  test('of many that come at once one is done', async () => {
    const { api } = await start(await newPlace())
    const answers = await Promise.all(Array.from({ length: 12 }, () => api.patch(NAME, ADD, '', keyed('a'))))
    expect(new Set(answers.map(({ status, etag }) => `${status} ${etag}`)).size).toBe(1)
    expect(await api.read(NAME, '?root=content')).toMatchObject({ body: 'x' })
  })

  test('who retries until there is an answer has written once, though the server is killed all the time', async () => {
    const place = await newPlace()
    const flags = place.database ? ['--database', place.database] : []
    const data = place.data ?? (await temporaryDirectory(release))
    let server = await startServer({ release, data, flags })
    for (let write = 0; write < 4; write++) {
      const asking = documentsApi(server.url)
      const ask = (api = asking) => api.patch(NAME, ADD, '', keyed(`${write}`)).catch(() => undefined)
      const first = ask()
      for (let turns = write * 12; turns > 0; turns--) await new Promise(setImmediate)
      await server.kill()
      await first
      server = await startServer({ release, data, flags })
      expect(await ask(documentsApi(server.url))).toMatchObject({ status: 204 })
    }
    expect(await documentsApi(server.url).read(NAME, '?root=content')).toMatchObject({ body: 'xxxx' })
  })
}

test('the keys of one user are not those of another', async () => {
  const { url } = await start({ authSecret: SECRET, data: await temporaryDirectory(release) })
  const as = async (sub: string) =>
    documentsApi(url, { authorization: `Bearer ${await token({ sub, coedit: { write: ['*'] } })}` })
  const [ada, eve] = [await as('ada'), await as('eve')]
  for (const api of [ada, eve, ada]) expect((await api.patch(NAME, ADD, '', keyed('a'))).status).toBe(204)
  expect(await ada.read(NAME, '?root=content')).toMatchObject({ body: 'xx' })
})
