import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import type { ServerOptions } from '../../server/src/index.ts'
import { afterTests } from '../support/after-tests.ts'
import { documentsApi } from '../support/documents-api.ts'
import { hocuspocusClient } from '../support/hocuspocus-clients.ts'
import { startInProcess } from '../support/in-process-server.ts'
import { step1, step2, update } from '../support/messages.ts'
import { findPostgres, NO_POSTGRES, startPostgres } from '../support/postgres.ts'
import { runCoedit, startServer } from '../support/process.ts'
import { Random } from '../support/random.ts'
import { connectRaw } from '../support/raw-client.ts'
import { allRead, stockClient, syncedClient, textOf } from '../support/stock-clients.ts'
import { temporaryDirectory } from '../support/temporary.ts'
import { SECRET, token } from '../support/tokens.ts'

const release = onTestFinished
const NAME = 'secret/plans'
const GONE = { status: 410, code: 'GONE' }

describe('on LevelDB', () => onEngine(async () => ({ data: await temporaryDirectory(release) })))

if (findPostgres() === undefined) test('on PostgreSQL', ({ skip }) => skip(NO_POSTGRES))
else {
  const postgres = await startPostgres(afterTests())
  describe('on PostgreSQL', () => onEngine(async () => ({ database: await postgres.newDatabase() })))

  describe('of several servers', () => {
    const startTwo = async () => {
      const database = await postgres.newDatabase()
      const start = () => startInProcess({ release, options: { database } })
      const [mine, theirs] = await Promise.all([start(), start()])
      return { database, mine, theirs, api: documentsApi(mine.url) }
    }

    test('one deletes, and the clients of all are told', async () => {
      const { mine, theirs, api } = await startTwo()
      await mine.server.edit(NAME, writing('old'))
      const clients = [mine, theirs].map(({ url }) => connectRaw({ release, url, document: NAME }))
      const raw = await Promise.all(clients)
      await Promise.all(raw.map((client) => client.until('it has joined', () => client.messages.length > 0)))
      await mine.server.delete(NAME)
      for (const { closed } of raw) expect(await closed).toMatchObject({ code: 4404 })
      await expect(theirs.server.readUpdate(NAME)).rejects.toMatchObject({ code: 'GONE' })
      expect((await api.call('PUT', path(), { type: 'text/plain', body: 'new' })).status).toBe(201)
      expect((await theirs.server.read(NAME)).getText('content').toString()).toBe('new')
    })

    test('coedit delete tells them, too', async () => {
      const { database, theirs } = await startTwo()
      await theirs.server.edit(NAME, writing('old'))
      const client = await connectRaw({ release, url: theirs.url, document: NAME })
      await client.until('it has joined', () => client.messages.length > 0)
      expect(await runCoedit(release, ['delete', NAME, '--database', database])).toMatchObject({ code: 0 })
      expect(await client.closed).toMatchObject({ code: 4404 })
    })

    test('of two that create it, one does', async () => {
      const { mine, theirs } = await startTwo()
      await mine.server.edit(NAME, writing('old'))
      await mine.server.delete(NAME)
      const outcomes = await Promise.allSettled(
        [mine, theirs].map(({ server }, index) => server.create(NAME, writing(`${index}`))),
      )
      const failed = outcomes.filter(({ status }) => status === 'rejected')
      expect(failed).toMatchObject([{ reason: { code: 'DOCUMENT_EXISTS' } }])
      const expected = String(outcomes.findIndex(({ status }) => status === 'fulfilled'))
      for (const { server } of [mine, theirs]) {
        expect((await server.read(NAME)).getText('content').toString()).toBe(expected)
      }
    })
  })
}

function onEngine(newPlace: () => Promise<ServerOptions>): void {
  const start = async (place: ServerOptions) => {
    const { server, url, data, lines } = await startInProcess({ release, options: place })
    return { server, url, data, lines, api: documentsApi(url) }
  }

  test('a document that is deleted ends for all, and is not there any more', async () => {
    const { server, url, api, lines } = await start(await newPlace())
    await server.edit(NAME, writing('old'))
    await server.edit('other', writing('stays'))
    const raw = await connectRaw({ release, url, document: NAME })
    const hocuspocus = hocuspocusClient({ release, url, document: NAME })
    const other = hocuspocus.attach({ document: 'other' })
    const events = await eventsOf(url)
    await Promise.all([hocuspocus.synced(), other.synced()])

    expect(await api.call('DELETE', path())).toMatchObject({ status: 204 })
    expect(await raw.closed).toEqual({ code: 4404, reason: `'${NAME}' was deleted` })
    await hocuspocus.happens('authenticationFailed')
    expect(hocuspocus.events).toContain(`'${NAME}' was deleted`)
    expect(await events.text()).toMatch(/^data: .*\nid: .*\n\nevent: gone\ndata: {"code":"GONE"}\n\n$/s)
    other.doc.getText('content').insert(0, 'it ')
    await other.saved()

    expect(await api.read(NAME)).toMatchObject(GONE)
    expect(await api.patch(NAME, { a: 1 })).toMatchObject(GONE)
    expect(await api.call('GET', path())).toMatchObject({ status: 410 })
    expect(await api.call('DELETE', path())).toMatchObject(GONE)
    expect(await api.call('DELETE', 'api/documents/never')).toMatchObject({ status: 404, code: 'DOCUMENT_MISSING' })
    expect(await api.call('GET', 'api/documents')).toMatchObject({ body: { documents: ['other'] } })
    await expect(server.edit(NAME, writing('x'))).rejects.toMatchObject({ code: 'GONE' })
    const fresh = await connectRaw({ release, url, document: NAME })
    expect(await fresh.closed).toMatchObject({ code: 4404 })
    expect(await (await eventsOf(url)).text()).toBe('event: gone\ndata: {"code":"GONE"}\n\n')
    expect(lines.filter(({ level }) => level === 'error')).toEqual([])
  })

  test('no client brings it back that was offline and writes on', async () => {
    const place = await newPlace()
    const first = await start(place)
    const client = await syncedClient({ release, url: first.url, document: NAME })
    textOf(client).insert(0, 'old')
    let text: unknown
    while (text !== 'old') ({ body: text } = await first.api.read(NAME, '?root=text'))
    await client.leave()
    textOf(client).insert(3, ' and more')
    await first.server.delete(NAME)
    for (const round of ['before a restart', 'after it']) {
      const { server, url } = round === 'after it' ? await start(place) : first
      const back = stockClient({ release, url, document: NAME, doc: client.doc })
      await back.lost()
      expect(back.provider.shouldConnect).toBe(false)
      await expect(server.readUpdate(NAME)).rejects.toMatchObject({ code: 'GONE' })
      if (round !== 'after it') await server.close()
    }
  })

  test('what is made anew never has old content, and who has that gets nothing of the new one', async () => {
    const { server, url, api } = await start(await newPlace())
    // All who write have done so before.
    const old = await syncedClient({ release, url, document: NAME })
    textOf(old).insert(0, 'old')
    await server.edit(NAME, writing('old'))
    await api.patch(NAME, { a: 1 }, '?root=map')
    await old.leave()
    const { body: copy } = await api.readUpdate(NAME)
    if (!(copy instanceof Uint8Array)) throw new Error('there is no update')
    await server.delete(NAME)

    const made = await api.call('PUT', path(), { type: 'application/json', body: { text: 'new', list: [1, { a: 2 }] } })
    expect(made.status).toBe(201)
    expect(await api.read(NAME)).toMatchObject({ etag: made.etag, body: { text: 'new', list: [1, { a: 2 }] } })
    expect(await api.call('PUT', path())).toMatchObject({ status: 409, code: 'DOCUMENT_EXISTS' })

    const back = stockClient({ release, url, document: NAME, doc: old.doc })
    await back.lost()
    expect(back.provider.shouldConnect).toBe(false)
    expect(textOf(old).toString()).toBe('old')
    expect(await api.postUpdate(NAME, copy)).toMatchObject(GONE)
    const insolent = await connectRaw({ release, url, document: NAME })
    insolent.send(step1(), step2(), update(copy))
    expect(await insolent.closed).toMatchObject({ code: 4404 })
    const hocuspocus = hocuspocusClient({ release, url, document: NAME, doc: old.doc })
    await hocuspocus.happens('authenticationFailed')
    expect(textOf(old).toString()).toBe('old')

    const fresh = await syncedClient({ release, url, document: NAME })
    textOf(fresh).insert(3, 'er')
    await api.patch(NAME, [{ op: 'add', path: '/0', value: 0 }], '?root=list')
    await server.edit(NAME, (doc) => doc.getText('text').insert(0, 'even '))
    await allRead([fresh], 'even newer')
    expect(await api.read(NAME)).toMatchObject({ body: { text: 'even newer', list: [0, 1, { a: 2 }] } })
  })

  test.for([
    ['nothing', undefined, undefined, {}],
    ['a text', 'text/plain', 'hello 😀', { content: 'hello 😀' }],
    ['roots', 'application/json', { a: 'x', b: [], c: { d: [1] }, e: ['y'] }, { a: 'x', c: { d: [1] }, e: ['y'] }],
    ['an update', 'application/octet-stream', updateOf('z'), { content: 'z' }],
  ] as const)('a document is made of %s, and is there after a restart', async ([, type, body, expected]) => {
    const place = await newPlace()
    const first = await start(place)
    const made = await first.api.call('PUT', path(), { ...(type && { type }), body })
    expect(made.status).toBe(201)
    expect(await first.api.read(NAME)).toMatchObject({ status: 200, etag: made.etag, body: expected })
    await first.server.close()
    const { server, api } = await start(place)
    expect(await api.read(NAME)).toMatchObject({ status: 200, body: expected })
    await expect(server.create(NAME)).rejects.toMatchObject({ code: 'DOCUMENT_EXISTS' })
    await server.delete(NAME)
    await server.create(NAME, writing('by code'))
    expect(await api.read(NAME)).toMatchObject({ body: { content: 'by code' } })
  })

  test('who has it open when it is created is shown it', async () => {
    const { server, url, api } = await start(await newPlace())
    const client = await syncedClient({ release, url, document: NAME })
    await server.create(NAME, (doc) => doc.getText('text').insert(0, 'made'))
    await allRead([client], 'made')
    expect(await api.call('PUT', path())).toMatchObject({ status: 409 })
  })

  test('killed in the middle, it is deleted or not; answered, it is', async () => {
    const place = await newPlace()
    const flags = place.database ? ['--database', place.database] : []
    const data = place.data ?? (await temporaryDirectory(release))
    const random = new Random(7)
    let server = await startServer({ release, data, flags })
    for (let round = 0; round < 6; round++) {
      const name = `document-${round}`
      const before = documentsApi(server.url)
      await before.patch(name, [{ index: 0, insert: 'x'.repeat(100_000) }])
      const deleting = before.call('DELETE', `api/documents/${name}`).catch(() => undefined)
      for (let turns = random.below(40); turns > 0; turns--) await new Promise(setImmediate)
      await server.kill()
      const answered = await deleting
      server = await startServer({ release, data, flags })
      const found = await documentsApi(server.url).read(name, '?root=content&as=text')
      if (answered) expect(answered.status).toBe(204)
      if (answered || found.status !== 200) expect(found).toMatchObject(GONE)
      else expect(found.body).toBe('x'.repeat(100_000))
    }
  })
}

test('no file of LevelDB has anything left of it', async () => {
  const data = await temporaryDirectory(release)
  const { server } = await startInProcess({ release, options: { data } })
  await server.edit(NAME, writing('a very peculiar sentence'))
  expect(await bytesIn(data)).toContain('very peculiar')
  await server.delete(NAME)
  await server.close()
  expect(await bytesIn(data)).not.toContain('very peculiar')
})

test('no file of LevelDB has anything left of its history', async () => {
  const data = await temporaryDirectory(release)
  const options = { data, compactMaxEntries: 3, compactIntervalMs: 0 }
  const { server, logged } = await startInProcess({ release, options })
  // Bytes without a pattern are in what is compressed as they are.
  const bytes = crypto.getRandomValues(new Uint8Array(20_000))
  const peculiar = Buffer.from(bytes.subarray(5_000, 5_050)).toString('latin1')
  await server.edit(NAME, (doc) => doc.getMap('map').set('bytes', bytes))
  await server.edit(NAME, (doc) => doc.getMap('map').delete('bytes'))
  for (const text of ['once', 'again']) await server.edit(NAME, writing(text))
  await logged('compacted a document')
  expect(await bytesIn(data)).toContain(peculiar)
  expect(await server.history.read(NAME, 1, { root: 'map' })).toMatchObject({ version: 1 })
  await server.delete(NAME)
  await server.close()
  expect(await bytesIn(data)).not.toContain(peculiar)
})

test('a token says who may create and who may delete', async () => {
  const { url } = await startInProcess({ release, options: { authSecret: SECRET } })
  const as = async (coedit: object) => documentsApi(url, { authorization: `Bearer ${await token({ coedit })}` })
  const maker = await as({ create: ['secret/*'] })
  const deleter = await as({ delete: [NAME] })
  const writer = await as({ write: ['*'], read: ['*'], list: ['*'] })
  const forbidden = { status: 403, code: 'FORBIDDEN' }
  expect(await documentsApi(url).call('PUT', path())).toMatchObject({ status: 401 })
  expect(await writer.call('PUT', path())).toMatchObject(forbidden)
  expect(await maker.call('PUT', 'api/documents/other')).toMatchObject(forbidden)
  expect(await maker.call('PUT', path())).toMatchObject({ status: 201 })
  for (const api of [maker, writer]) expect(await api.call('DELETE', path())).toMatchObject(forbidden)
  expect(await deleter.call('DELETE', 'api/documents/other')).toMatchObject(forbidden)
  expect(await deleter.call('DELETE', path())).toMatchObject({ status: 204 })
})

test('what is to be made of what is none is refused', async () => {
  const { url } = await startInProcess({ release })
  const api = documentsApi(url)
  const bad = [
    { type: 'application/json', body: '{' },
    { type: 'application/json', body: '[]' },
    { type: 'application/json', body: { root: 1 } },
    { type: 'application/xml', body: '<p/>' },
    { type: 'application/octet-stream', body: Uint8Array.of(1) },
  ]
  for (const given of bad) expect(await api.call('PUT', path(), given)).toMatchObject({ status: 400 })
  expect(await api.call('PUT', 'api/documents/a%07')).toMatchObject({ status: 400, code: 'DOCUMENT_NAME' })
  expect(await api.read(NAME)).toMatchObject({ status: 404 })
})

test('commands delete, forget and copy what was deleted', async () => {
  const [data, other] = [await temporaryDirectory(release), await temporaryDirectory(release)]
  const { server } = await startInProcess({ release, options: { data } })
  for (const name of ['a', 'b', 'c']) await server.edit(name, writing(name))
  await server.delete('c')
  await server.create('c')
  await server.close()
  const coedit = async (...args: string[]) => {
    const { code, stdout, stderr } = await runCoedit(release, args)
    return { code, text: stdout + stderr }
  }
  const at = ['--data', data]
  expect(await coedit('delete', 'a', ...at)).toMatchObject({ code: 0, text: "'a': deleted\n" })
  expect((await coedit('delete', 'a', ...at)).text).toContain('(GONE)')
  expect((await coedit('delete', 'never', ...at)).text).toContain('(DOCUMENT_MISSING)')
  expect((await coedit('export', 'a', ...at)).text).toContain('(GONE)')
  expect(await coedit('copy', '--from', data, '--to', other)).toMatchObject({ code: 0 })
  const { server: copied, url } = await startInProcess({ release, options: { data: other } })
  await expect(copied.readUpdate('a')).rejects.toMatchObject({ code: 'GONE' })
  expect(await documentsApi(url).read('c')).toMatchObject({ status: 200, body: {} })
  expect(await documentsApi(url).postUpdate('c', updateOf('x'))).toMatchObject({ status: 204 })
  await copied.close()
  expect((await coedit('copy', '--from', other, '--to', data)).text).toContain("'a': there already")
  expect(await coedit('delete', 'a', '--forget', ...at)).toMatchObject({ code: 0, text: "'a': forgotten\n" })
  const { server: again } = await startInProcess({ release, options: { data } })
  await again.edit('a', writing('is back'))
})

function path(): string {
  return `api/documents/${encodeURIComponent(NAME)}`
}

function eventsOf(url: string): Promise<Response> {
  return fetch(`${url}${path()}/events`)
}

function writing(text: string) {
  return (doc: Y.Doc) => doc.getText('content').insert(0, text)
}

function updateOf(text: string): Uint8Array {
  const doc = new Y.Doc()
  writing(text)(doc)
  return Y.encodeStateAsUpdate(doc)
}

async function bytesIn(directory: string): Promise<string> {
  const files = await readdir(directory)
  const contents = await Promise.all(files.map((file) => readFile(join(directory, file), 'latin1').catch(() => '')))
  return contents.join('\n')
}
