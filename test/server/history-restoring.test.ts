import { describe, expect, onTestFinished, test } from 'vitest'
import { documentsApi } from '../support/documents-api.ts'
import { contentOf, docOf } from '../support/editing.ts'
import { EAGER, edited, NAME, past, start, textIs } from '../support/history.ts'
import { Random } from '../support/random.ts'
import { runs } from '../support/runs.ts'
import { allRead, syncedClient, textOf } from '../support/stock-clients.ts'
import { SECRET, token } from '../support/tokens.ts'

const release = onTestFinished

describe('restoring', () => {
  test('makes of all shared types what they were, by an edit that can be taken back', async () => {
    for (let seed = 1; seed <= runs(2); seed++) {
      const started = await start(EAGER)
      const versions = await edited(started, seed, 20)
      const random = new Random(seed)
      const current = async () => contentOf(docOf(await started.server.readUpdate(NAME)))
      for (let round = 0; round < 4; round++) {
        const version = random.below(versions.length)
        expect(await past(started).restore({ to: version })).toMatchObject({ status: 204 })
        expect(await current()).toEqual(versions[version])
      }
      await started.server.history.restore(NAME, 20)
      expect(await current()).toEqual(versions[20])
      expect(started.lines.filter(({ level }) => level === 'error')).toEqual([])
      await started.server.close()
    }
  })

  test('loses nothing of those who write at the same time', async () => {
    const started = await start()
    const { url, server } = started
    const client = await syncedClient({ release, url, document: NAME })
    textOf(client).insert(0, 'hello')
    await textIs(started.api, 'hello')
    const { groups } = await past(started).timeline()
    await server.edit(NAME, (doc) => doc.getText('text').insert(5, ' world'))
    await server.edit(NAME, (doc) => doc.getText('text').delete(0, 4))
    await allRead([client], 'o world')
    await client.leave()
    textOf(client).insert(textOf(client).length, '!')
    textOf(client).insert(1, 'ch')
    await past(started).restore({ to: groups[0].last })
    client.provider.connect()
    await client.synced()
    await textIs(started.api, 'helloch!')
    await allRead([client], 'helloch!')
  })

  test('takes back what one author has written since a moment, and nothing of others', async () => {
    const started = await start({ ...EAGER, authSecret: SECRET })
    const as = async (sub: string) =>
      documentsApi(started.url, { authorization: `Bearer ${await token({ sub, coedit: { write: ['*'] } })}` })
    const [ada, mallory] = [await as('ada'), await as('mallory')]
    await mallory.patch(NAME, [{ index: 0, insert: 'once upon a time' }])
    const { etag = '' } = await ada.patch(NAME, { title: 'A story', count: 1 }, '?root=map')
    const since = Number(etag.split('-')[1])
    await mallory.patch(NAME, [{ find: 'upon', replace: 'below' }])
    for (let round = 0; round < 15; round++) await ada.patch(NAME, [{ index: 0, insert: `${round % 10}` }])
    await mallory.patch(NAME, { title: 'Nonsense', count: null, more: [1] }, '?root=map')
    await ada.patch(NAME, { count: 2 }, '?root=map')
    await mallory.patch(NAME, [{ find: 'time', replace: '' }])
    const author = { name: 'mallory' }
    expect(await past({ api: ada }).restore({ since, author })).toMatchObject({ status: 204 })
    expect(await ada.read(NAME)).toMatchObject({
      body: { content: '432109876543210once upon a time', map: { title: 'A story', count: 2 } },
    })
    expect(await past({ api: ada }).restore({ since, author: { name: 'eve' } })).toMatchObject({ status: 204 })
    expect(await past({ api: ada }).restore({ since, author: { name: 'mallory', claimed: true } })).toMatchObject({
      status: 204,
    })
    expect(await ada.read(NAME)).toMatchObject({ body: { content: '432109876543210once upon a time' } })
    const { groups } = await past({ api: ada }).timeline('?limit=1')
    expect(groups).toMatchObject([{ author: { name: 'ada' } }])
  })

  test('is done once for a key, and refused for what is none', async () => {
    const started = await start()
    for (const letter of ['a', 'b']) await started.server.edit(NAME, (doc) => doc.getText('text').insert(0, letter))
    const { restore } = past(started)
    const keyed = { 'idempotency-key': 'once' }
    const first = await restore({ to: 1 }, keyed)
    expect(first.status).toBe(204)
    await started.server.edit(NAME, (doc) => doc.getText('text').insert(0, 'c'))
    expect(await restore({ to: 1 }, keyed)).toEqual(first)
    await textIs(started.api, 'ca')
    for (const bad of [{}, { to: -1 }, { to: 'now' }, { to: 1, since: 1 }, { since: 1 }, { since: 1, author: 'ada' }]) {
      expect(await restore(bad)).toMatchObject({ status: 400, code: 'BODY_INVALID' })
    }
    expect(await restore({ to: 99 })).toMatchObject({ status: 404, code: 'HISTORY_MISSING' })
    expect(await past(started, 'missing').restore({ to: 0 })).toMatchObject({ status: 404, code: 'DOCUMENT_MISSING' })
  })
})

describe('a named version', () => {
  const named = (name: string) => `api/documents/${encodeURIComponent(NAME)}/versions/${encodeURIComponent(name)}`

  test('is read and restored when the history before it is gone', async () => {
    const started = await start({ ...EAGER, history: 'off' })
    const { api, server } = started
    const write = (letter: string) => server.edit(NAME, (doc) => doc.getText('content').insert(0, letter))
    for (const letter of ['a', 'b', 'c']) await write(letter)
    expect(await api.call('PUT', named('draft 😀'))).toMatchObject({ status: 201, body: { version: 3 } })
    await server.edit(NAME, (doc) => doc.getText('content').delete(0, 2))
    let status = 200
    while (status === 200) {
      await write('x')
      ;({ status } = await past(started).content(3))
    }
    expect(status).toBe(404)
    expect(await past(started).content('named:draft 😀')).toMatchObject({ status: 200, body: { content: 'cba' } })
    expect(await past(started).restore({ to: { named: 'draft 😀' } })).toMatchObject({ status: 204 })
    expect(await api.read(NAME)).toMatchObject({ body: { content: 'cba' } })
    expect(await past(started).restore({ to: { named: 'other' } })).toMatchObject({
      status: 404,
      code: 'HISTORY_MISSING',
    })
  })

  test('is listed with who named it, has a name of its own, and can be removed', async () => {
    const started = await start({ authSecret: SECRET })
    const api = documentsApi(started.url, { authorization: `Bearer ${await token({ coedit: { write: ['*'] } })}` })
    for (const letter of ['a', 'b']) await api.patch(NAME, [{ index: 0, insert: letter }])
    const put = (name: string, body?: object) => api.call('PUT', named(name), { type: 'application/json', body })
    expect(await put('second')).toMatchObject({ status: 201, body: { version: 2 } })
    expect(await put('first', { at: 1 })).toMatchObject({ status: 201, body: { version: 1 } })
    expect(await put('first')).toMatchObject({ status: 409, code: 'VERSION_EXISTS' })
    expect(await put('third', { at: 3 })).toMatchObject({ status: 404, code: 'HISTORY_MISSING' })
    expect(await put('third', { at: 'x' })).toMatchObject({ status: 400, code: 'BODY_INVALID' })
    const list = named('').slice(0, -1)
    const by = { name: 'ada', claimed: false }
    expect(await api.call('GET', list)).toMatchObject({
      body: {
        versions: [
          { name: 'first', version: 1, by },
          { name: 'second', version: 2, by },
        ],
      },
    })
    expect(await api.call('DELETE', named('first'))).toMatchObject({ status: 204 })
    expect(await api.call('DELETE', named('first'))).toMatchObject({ status: 404, code: 'HISTORY_MISSING' })
    expect(await started.server.history.versions(NAME)).toMatchObject([{ name: 'second' }])
    expect(await api.call('GET', 'api/documents/missing/versions')).toMatchObject({ status: 404 })
  })
})
