import { describe, expect, onTestFinished, test } from 'vitest'
import type * as Y from 'yjs'
import { History } from '../../server/src/document/history.ts'
import { EMPTY_UPDATE, encodeWriter } from '../../server/src/protocol/update/update.ts'
import { MemoryStorage } from '../../server/src/storage/memory/memory-storage.ts'
import { WorkerPool } from '../../server/src/workers/pool.ts'
import { afterTests } from '../support/after-tests.ts'
import { type PatchOperation, patched, type Splice, spliced } from '../support/changes.ts'
import { documentsApi } from '../support/documents-api.ts'
import { contentOf, docOf } from '../support/editing.ts'
import { EAGER, edited, MINUTE, NAME, past, type Started, start, textIs } from '../support/history.ts'
import { recordingLog } from '../support/log.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { findPostgres, NO_POSTGRES, startPostgres } from '../support/postgres.ts'
import { startServer } from '../support/process.ts'
import { Random } from '../support/random.ts'
import { runs } from '../support/runs.ts'
import { syncedClient, textOf } from '../support/stock-clients.ts'
import { temporaryDirectory } from '../support/temporary.ts'
import { SECRET, token } from '../support/tokens.ts'
import { untilChanged } from '../support/until.ts'

const release = onTestFinished
describe('a document', () => {
  test('is told as it was at each version, in the log and in segments, also after a restart', async () => {
    const started = await start(EAGER)
    const versions = await edited(started, 1, 35)
    await started.server.close()
    const again = await start({ ...EAGER, data: started.data })
    for (const [version, expected] of versions.entries()) {
      const { status, body } = await past(again).update(version)
      expect(status).toBe(200)
      expect(contentOf(docOf(body as Uint8Array))).toEqual(expected)
    }
    expect(await past(again).update(versions.length)).toMatchObject({ status: 404, code: 'HISTORY_MISSING' })
  })

  test('is told as text, JSON and XML, and how a root has changed', async () => {
    const started = await start(EAGER)
    const { server } = started
    const texts: string[] = ['']
    const maps: unknown[] = [{}]
    for (let round = 1; round <= 25; round++) {
      await server.edit(NAME, (doc) => {
        const text = doc.getText('content')
        if (round % 4 === 0) text.delete(0, 2)
        else text.insert(round % 3, `${round} `)
        doc.getMap('map').set(`key ${round % 5}`, round)
        texts.push(text.toString())
        maps.push(doc.getMap('map').toJSON())
      })
    }
    const { content, changes } = past(started)
    for (const version of [1, 9, 10, 11, 24, 25]) {
      expect(await content(version, '&root=content&as=text')).toMatchObject({ status: 200, body: texts[version] })
      expect(await content(version, '&root=map')).toMatchObject({ status: 200, body: maps[version] })
    }
    for (const [from, to] of [
      [1, 25],
      [10, 11],
      [7, 7],
    ]) {
      const text = await changes(from, to, '&as=text')
      expect(text).toMatchObject({ status: 200, body: { from, to } })
      expect(spliced(texts[from], (text.body as { changes: Splice[] }).changes)).toBe(texts[to])
      const map = await changes(from, to, '&as=json&root=map')
      expect(patched(maps[from] as never, (map.body as { changes: PatchOperation[] }).changes)).toEqual(maps[to])
    }
    expect(await content(25, '&root=map&as=text')).toMatchObject({ status: 409, code: 'EDIT_CONFLICT' })
    expect(await changes(1, 25, '&as=text&root=map')).toMatchObject({ status: 409, code: 'EDIT_CONFLICT' })
    expect(await changes(25, 1, '&as=text')).toMatchObject({ status: 400, code: 'REQUEST_INVALID' })
    for (const bad of ['-1', 'yesterday', '1.5', '']) expect(await content(bad)).toMatchObject({ status: 400 })
    expect(await past(started, 'missing').content(0)).toMatchObject({ status: 404, code: 'DOCUMENT_MISSING' })
    expect(await server.history.read(NAME, 9, { root: 'content', as: 'text' })).toEqual({
      version: 9,
      content: texts[9],
    })
    expect(await server.history.changes(NAME, 9, 9, { root: 'map', as: 'json' })).toEqual({
      from: 9,
      to: 9,
      changes: [],
    })
  })

  test('is told as it was at a time', async () => {
    const clock = new ManualClock()
    const started = await start(EAGER, clock)
    const times = [new Date(clock.now())]
    for (let version = 1; version <= 25; version++) {
      clock.advance(MINUTE)
      await written(started, (doc) => doc.getArray('list').push([version]))
      times.push(new Date(clock.now()))
    }
    await started.logged('compacted a document', 2)
    for (const version of [1, 10, 11, 25]) {
      expect(await started.server.history.update(NAME, times[version])).toMatchObject({ version })
      const { body } = await past(started).content(times[version].toISOString(), '&root=list')
      expect(body).toHaveLength(version)
    }
    expect(await started.server.history.update(NAME, times[0])).toMatchObject({ version: 0 })
  })

  /** Edits while the clock goes on as far as a commit needs. */
  async function written({ server, clock }: Started, change: (doc: Y.Doc) => void): Promise<void> {
    let isDone = false
    const editing = server.edit(NAME, change).finally(() => {
      isDone = true
    })
    while (!isDone) {
      clock?.advance(1)
      await new Promise(setImmediate)
    }
    await editing
  }
})

describe('a timeline', () => {
  test('tells who wrote, by the user of a token or by the name that a connection shows', async () => {
    const { url } = await start({ authSecret: SECRET })
    const as = async (sub?: string) => ({ authorization: `Bearer ${await token({ sub, coedit: { write: ['*'] } })}` })
    const ada = documentsApi(url, await as('ada'))
    await ada.patch(NAME, [{ index: 0, insert: 'by ada' }])
    await ada.patch(NAME, [{ index: 0, insert: 'and ' }])
    const nobody = await token({ sub: undefined, coedit: { write: ['*'] } })
    const client = await syncedClient({ release, url, document: NAME, params: { token: nobody } })
    client.provider.awareness.setLocalStateField('user', { name: 'Grace', color: '#ff0000' })
    textOf(client).insert(0, 'by Grace')
    await textIs(ada, 'by Grace')
    await documentsApi(url, await as(undefined)).patch(NAME, [{ index: 0, insert: 'by nobody' }])
    const { groups } = await past({ api: ada }).timeline()
    expect(groups).toMatchObject([
      { author: null, first: 4, last: 4, entries: 1 },
      { author: { name: 'Grace', claimed: true }, first: 3, last: 3 },
      { author: { name: 'ada', claimed: false }, first: 1, last: 2, entries: 2 },
    ])
  })

  test('parts what one author writes where there is a pause, and is read in pages, also out of segments', async () => {
    const clock = new ManualClock()
    const storage = new MemoryStorage({ clock })
    await storage.open()
    release(() => storage.close())
    const history = new History({
      clock,
      storage: storage.history,
      workers: new WorkerPool({ log: recordingLog().log }),
    })
    const writer = { name: 'ada', isClaimed: false }
    for (let version = 1; version <= 30; version++) {
      const request = { document: NAME, update: EMPTY_UPDATE, base: version - 1, authors: encodeWriter(writer) }
      await storage.append([request])
      clock.advance(version % 3 === 0 ? 10 * MINUTE : MINUTE)
      if (version % 8 !== 0) continue
      const snapshot = { seq: version, chunks: [EMPTY_UPDATE], stateVector: null, deleteSet: null }
      await storage.compact(NAME, { snapshot, replaces: version - 8, history: { maxRunMs: MINUTE } })
    }
    const numbers = Array.from({ length: 10 }, (_, index) => 28 - 3 * index)
    const expected = numbers.map((first) => ({ writer, first, last: first + 2, entries: 3 }))
    const query = { limit: 100, pauseMs: 5 * MINUTE }
    expect(await history.timeline(NAME, query)).toMatchObject({ groups: expected })
    const long = await history.timeline(NAME, { ...query, pauseMs: 60 * MINUTE })
    expect(long).toMatchObject({ groups: [{ first: 1, last: 30, entries: 30 }] })
    const paged: unknown[] = []
    let before: number | undefined
    do {
      const { groups, next } = await history.timeline(NAME, { ...query, limit: 4, before })
      paged.push(...groups)
      before = next
    } while (before !== undefined)
    expect(paged).toMatchObject(expected)
  })

  test('names each who has a share in an entry', async () => {
    const started = await start()
    const clients = await Promise.all(
      ['Ada', 'Grace'].map(async (name) => {
        const client = await syncedClient({ release, url: started.url, document: NAME })
        client.provider.awareness.setLocalStateField('user', { name })
        return client
      }),
    )
    for (let round = 0; round < 20; round++)
      for (const [index, client] of clients.entries()) textOf(client).insert(0, `${index}`)
    const docs = clients.map(({ doc }) => doc)
    await untilChanged(docs, 'all is there', () => clients.every((client) => textOf(client).length === 40))
    const { groups } = await past(started).timeline()
    expect(groups.map(({ author }) => author?.name).toSorted()).toEqual(['Ada', 'Grace'])
    // Those of both stand in the same entries.
    expect(groups.reduce((sum, { entries }) => sum + entries, 0)).toBeGreaterThan(
      Math.max(...groups.map(({ last }) => last)),
    )
    await started.server.history.takeBack(NAME, { author: 'Ada', claimed: true, since: 0 })
    await textIs(started.api, '1'.repeat(20))
  })
})

test('killed while it writes and compacts, it has each version that was answered, and each entry once', async () => {
  const data = await temporaryDirectory(release)
  const flags = ['--compact-max-entries', '5', '--compact-interval-ms', '0']
  const random = new Random(5)
  let written = 0
  for (let round = 0; round < runs(2); round++) {
    const server = await startServer({ release, data, flags })
    const api = documentsApi(server.url)
    const append = () => api.patch(NAME, [{ op: 'add', path: '/-', value: written }], '?root=list')
    const before = written
    for (const last = written + 20 + random.below(20); written < last; written++)
      expect((await append()).status).toBe(204)
    // It is in the middle of this one.
    void append().catch(() => undefined)
    for (let turns = random.below(20); turns > 0; turns--) await new Promise(setImmediate)
    await server.kill()
    const again = await startServer({ release, data, flags })
    const { content, timeline } = past({ api: documentsApi(again.url) })
    const [group, ...others] = (await timeline()).groups
    expect(others).toEqual([])
    expect(group).toMatchObject({ first: 1, last: group.entries })
    for (const version of [1, before, before + 7, written].filter((version) => version > 0)) {
      const { body } = await content(version, '&root=list')
      expect(body).toEqual(Array.from({ length: version }, (_, index) => index))
    }
    expect([written, written + 1]).toContain(group.last)
    written = group.last
    await again.kill('SIGTERM')
  }
})

test('it takes the right to write', async () => {
  const { url, server } = await start({ authSecret: SECRET })
  await server.edit(NAME, (doc) => doc.getText('text').insert(0, 'x'))
  const api = documentsApi(url, { authorization: `Bearer ${await token({ coedit: { read: ['*'] } })}` })
  const forbidden = { status: 403, code: 'FORBIDDEN' }
  const { content, update, changes, restore } = past({ api })
  for (const call of [content(1), update(1), changes(0, 1, ''), restore({ to: 0 })]) {
    expect(await call).toMatchObject(forbidden)
  }
  expect(await api.call('GET', `api/documents/${encodeURIComponent(NAME)}/history`)).toMatchObject(forbidden)
  expect(await past({ api: documentsApi(url) }).content(1)).toMatchObject({ status: 401 })
})

if (findPostgres() === undefined) test('on PostgreSQL', ({ skip }) => skip(NO_POSTGRES))
else {
  const postgres = await startPostgres(afterTests())

  test('on PostgreSQL another server tells what was written, and by whom, and restores it', async () => {
    const database = await postgres.newDatabase()
    const options = { database, authSecret: SECRET }
    const [mine, theirs] = [await start(options), await start(options)]
    const authorization = `Bearer ${await token({ coedit: { write: ['*'] } })}`
    const [here, there] = [mine, theirs].map(({ url }) => documentsApi(url, { authorization }))
    for (const letter of ['a', 'b', 'c']) await here.patch(NAME, [{ index: 0, insert: letter }])
    const { groups } = await past({ api: there }).timeline()
    expect(groups).toMatchObject([{ author: { name: 'ada', claimed: false }, first: 1, last: 3, entries: 3 }])
    expect(await there.call('PUT', `api/documents/${encodeURIComponent(NAME)}/versions/all`)).toMatchObject({
      status: 201,
    })
    expect(await past({ api: there }).restore({ to: 1 })).toMatchObject({ status: 204 })
    await textIs(here, 'a', 'content')
    expect(await past({ api: here }).content('named:all')).toMatchObject({ body: { content: 'cba' } })
  })
}
