import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import type { ServerOptions } from '../../server/src/index.ts'
import { documentsApi } from '../support/documents-api.ts'
import { docOf } from '../support/editing.ts'
import { startInProcess } from '../support/in-process-server.ts'
import { deeplyNested } from '../support/nested.ts'
import { blockIn, filledIn } from '../support/papers.ts'
import { startServer } from '../support/process.ts'
import { syncedClient, textOf } from '../support/stock-clients.ts'
import { SECRET, token } from '../support/tokens.ts'
import { untilChanged } from '../support/until.ts'

const run = promisify(execFile)
const release = onTestFinished

/** One server for all, where each has a document of its own. */
const shared = (async () => {
  const { server, url } = await startInProcess({ release: afterAll })
  return { server, url, api: documentsApi(url) }
})()

let documents = 0

async function start(options?: ServerOptions) {
  const name = `document-${++documents}`
  if (!options) return { ...(await shared), name }
  const { server, url } = await startInProcess({ release, options })
  return { server, url, api: documentsApi(url), name }
}

describe('content that is read', () => {
  test('is found out by what is in it', async () => {
    const { server, api, name } = await start()
    await server.edit(name, (doc) => {
      doc.getText('text').insert(0, 'hello', { bold: true })
      doc.getMap('map').set('__proto__', { nested: [1, new Uint8Array([255])] })
      doc.getArray('array').push([new Y.Map([['key', 'value']]), null, 'x'])
      doc.getXmlFragment('xml').push([new Y.XmlElement('p')])
    })
    expect(await api.read(name, '?root=text&as=text')).toMatchObject({ status: 200, body: 'hello' })
    expect(await api.read(name, '?root=xml&as=xml')).toMatchObject({ status: 200, body: '<p></p>' })
    const { body } = await api.read(name)
    expect(body).toEqual({
      text: 'hello',
      map: JSON.parse('{"__proto__":{"nested":[1,"/w=="]}}'),
      array: [{ key: 'value' }, null, 'x'],
      xml: '<p></p>',
    })
  })

  test('of another kind is refused, and what was never written is empty', async () => {
    const { server, api, name } = await start()
    await server.edit(name, (doc) => doc.getMap('map').set('a', 1))
    expect(await api.read(name, '?root=map&as=text')).toMatchObject({ status: 409, code: 'EDIT_CONFLICT' })
    expect(await api.read(name, '?as=xml')).toMatchObject({ status: 409, code: 'EDIT_CONFLICT' })
    expect(await api.read(name, '?root=other&as=text')).toMatchObject({ status: 200, body: undefined })
    expect(await api.read(name, '?root=other')).toMatchObject({ status: 200, body: null })
    expect(await api.read('missing')).toMatchObject({ status: 404, code: 'DOCUMENT_MISSING' })
  })

  test('has not changed while its ETag is the same, which is the id of the last event', async () => {
    const { server, api, name } = await start()
    await server.edit(name, (doc) => doc.getText('content').insert(0, 'one'))
    const { etag = '' } = await api.read(name)
    const headers = { 'if-none-match': `"${etag}"` }
    expect(await api.read(name, '', { headers })).toMatchObject({ status: 304, etag })
    await server.edit(name, (doc) => doc.getText('content').insert(3, ' two'))
    expect(await api.read(name, '?root=content', { headers })).toMatchObject({ status: 200, body: 'one two' })
  })

  test('is what an editor wrote a moment ago', async () => {
    const { api, url, name } = await start()
    const editor = await syncedClient({ release, url, document: name })
    for (const [index, letter] of [...'hello'].entries()) {
      textOf(editor).insert(index, letter)
      const expected = 'hello'.slice(0, index + 1)
      let text: unknown
      while (text !== expected) ({ body: text } = await api.read(name, '?root=text'))
    }
  })
})

describe('a JSON Patch', () => {
  test('makes a document, and editors see it', async () => {
    const { api, url, name } = await start()
    const editor = await syncedClient({ release, url, document: name })
    const made = await api.patch(
      name,
      [{ op: 'add', path: '/apple', value: { stock: 3, tags: ['red'] } }],
      '?root=items',
    )
    expect(made.status).toBe(204)
    const items = editor.doc.getMap('items')
    await untilChanged([editor.doc], 'the editor has it', () => items.has('apple'))
    expect(items.toJSON()).toEqual({ apple: { stock: 3, tags: ['red'] } })
    expect(items.get('apple')).toBeInstanceOf(Y.Map)
    expect(await api.read(name, '?root=items')).toMatchObject({ etag: made.etag })
  })

  test.for([
    ['add to an array', [{ op: 'add', path: '/list/1', value: 'x' }], { list: ['a', 'x', 'b'] }],
    ['add at its end', [{ op: 'add', path: '/list/-', value: 'x' }], { list: ['a', 'b', 'x'] }],
    ['replace', [{ op: 'replace', path: '/list/0', value: { deep: 1 } }], { list: [{ deep: 1 }, 'b'] }],
    ['remove', [{ op: 'remove', path: '/list' }], { list: undefined }],
    ['move', [{ op: 'move', from: '/list/0', path: '/first' }], { list: ['b'], first: 'a' }],
    ['copy', [{ op: 'copy', from: '/list', path: '/more' }], { more: ['a', 'b'] }],
    ['escapes', [{ op: 'add', path: '/a~1b~0c', value: 1 }], { 'a/b~c': 1 }],
    ['in a plain value', [{ op: 'replace', path: '/plain/inner/0', value: 9 }], { plain: { inner: [9], other: true } }],
    ['test', [{ op: 'test', path: '/plain', value: { other: true, inner: [1] } }], {}],
    ['a text inside', [{ op: 'replace', path: '/title', value: 'The title' }], { title: 'The title' }],
    ['the whole root', [{ op: 'replace', path: '', value: { only: [] } }], { only: [], list: undefined }],
  ] as const)('%s', async ([, patch, expected]) => {
    const { server, api, name } = await start()
    await server.edit(name, (doc) => {
      const map = doc.getMap('root')
      map.set('list', Y.Array.from(['a', 'b']))
      map.set('plain', { inner: [1], other: true })
      map.set('title', new Y.Text('A title'))
    })
    const { body: before } = await api.read(name, '?root=root')
    expect(await api.patch(name, patch, '?root=root')).toMatchObject({ status: 204 })
    const { body } = await api.read(name, '?root=root')
    const whole = patch[0].path === '' ? expected : { ...Object(before), ...expected }
    expect(body).toEqual(JSON.parse(JSON.stringify(whole)))
  })

  test('is all or nothing, over several roots', async () => {
    const { api, name } = await start()
    await api.patch(name, [{ op: 'add', path: '/n', value: 1 }], '?root=one')
    const failing = [
      { op: 'add', path: '/n', value: 2 },
      { op: 'add', root: 'two', path: '/-', value: 'x' },
      { op: 'test', path: '/n', value: 3 },
    ]
    expect(await api.patch(name, failing, '?root=one')).toMatchObject({ status: 409, code: 'EDIT_CONFLICT' })
    expect(await api.read(name)).toMatchObject({ body: { one: { n: 1 } } })
    expect(await api.patch(name, failing.slice(0, 2), '?root=one')).toMatchObject({ status: 204 })
    expect(await api.read(name)).toMatchObject({ body: { one: { n: 2 }, two: ['x'] } })
  })

  test('is a compare-and-set by its tests: of twelve bids at once each has its price', async () => {
    const { api, name } = await start()
    await api.patch(name, { price: 0, bids: [] }, '?root=lot')
    const bid = async (bidder: number): Promise<number> => {
      const { body } = await api.read(name, '?root=lot')
      const price = Number(Object(body).price)
      const { status } = await api.patch(
        name,
        [
          { op: 'test', path: '/price', value: price },
          { op: 'replace', path: '/price', value: price + 1 },
          { op: 'add', path: '/bids/-', value: bidder },
        ],
        '?root=lot',
      )
      return status === 409 ? bid(bidder) : status
    }
    const answers = await Promise.all(Array.from({ length: 12 }, (_, bidder) => bid(bidder)))
    expect(new Set(answers)).toEqual(new Set([204]))
    const { body } = await api.read(name, '?root=lot')
    expect(body).toMatchObject({ price: 12 })
    expect(new Set(Object(body).bids).size).toBe(12)
  })
})

test('a JSON Merge Patch goes on inside of objects, and null takes away', async () => {
  const { api, name } = await start()
  await api.patch(name, { a: { b: 1, c: 2 }, list: [1, 2] }, '?root=root')
  expect(await api.patch(name, { a: { b: null, d: { e: 3 } }, list: 'gone' }, '?root=root')).toMatchObject({
    status: 204,
  })
  expect(await api.read(name, '?root=root')).toMatchObject({ body: { a: { c: 2, d: { e: 3 } }, list: 'gone' } })
})

describe('edits of a text', () => {
  test('are positions in what was read, whatever happened since', async () => {
    const { server, api, name } = await start()
    await api.patch(name, [{ index: 0, insert: 'one two three' }])
    const { etag = '', body } = await api.read(name, '?root=content&as=text')
    expect(body).toBe('one two three')
    await server.edit(name, (doc) => doc.getText('content').insert(4, 'and a half '))
    await server.edit(name, (doc) => doc.getText('content').delete(0, 4))
    const headers = { 'if-match': `"${etag}"` }
    const edits = [
      { index: 8, delete: 5, insert: '3' },
      { index: 3, insert: '!' },
      { index: 4, delete: 3, insert: '2' },
    ]
    expect(await api.patch(name, edits, '', { headers })).toMatchObject({ status: 204 })
    expect(await api.read(name, '?root=content&as=text')).toMatchObject({ body: '!and a half 2 3' })
  })

  test('find what they replace, or change nothing', async () => {
    const { api, name } = await start()
    await api.patch(name, [{ index: 0, insert: 'a b a 👍' }])
    expect(await api.patch(name, [{ find: 'a', replace: 'x', all: true }])).toMatchObject({ status: 204 })
    const both = [
      { find: 'x', replace: 'y' },
      { find: 'missing', replace: 'z' },
    ]
    expect(await api.patch(name, both)).toMatchObject({ status: 409, code: 'EDIT_CONFLICT' })
    expect(await api.patch(name, [{ index: 7, insert: '!' }])).toMatchObject({ status: 400, code: 'BODY_INVALID' })
    expect(await api.patch(name, [{ index: 9, insert: '!' }])).toMatchObject({ status: 409, code: 'EDIT_CONFLICT' })
    expect(await api.read(name, '?root=content&as=text')).toMatchObject({ body: 'x b x 👍' })
  })

  test('for what nobody remembers are refused', async () => {
    const { api, name } = await start()
    await api.patch(name, [{ index: 0, insert: 'text' }])
    const call = (etag: string) => api.patch(name, [{ index: 0, insert: '!' }], '', { headers: { 'if-match': etag } })
    expect(await call('"zz-1"')).toMatchObject({ status: 412, code: 'EDIT_OUTDATED' })
    expect(await call('"foreign"')).toMatchObject({ status: 412, code: 'EDIT_OUTDATED' })
    expect(await call('*')).toMatchObject({ status: 204 })
  })

  test('keep what others type at the same time', async () => {
    const { api, url, name } = await start()
    const editor = await syncedClient({ release, url, document: name })
    const text = editor.doc.getText('content')
    await api.patch(name, [{ index: 0, insert: '|' }])
    await untilChanged([editor.doc], 'the editor has it', () => text.length === 1)
    const typing = Promise.all(Array.from({ length: 50 }, () => api.patch(name, [{ find: '|', replace: 's|' }])))
    for (let typed = 0; typed < 50; typed++) {
      text.insert(text.length, 'e')
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect((await typing).map(({ status }) => status)).toEqual(Array(50).fill(204))
    await untilChanged([editor.doc], 'all is there', () => text.length === 101)
    expect(text.toString()).toBe(`${'s'.repeat(50)}|${'e'.repeat(50)}`)
  })
})

describe('a Yjs update', () => {
  test('that is posted is there, and what somebody lacks is read back', async () => {
    const { api, name } = await start()
    const doc = new Y.Doc()
    doc.getText('content').insert(0, 'hello')
    const { etag } = await api.postUpdate(name, Y.encodeStateAsUpdate(doc))
    const since = Buffer.from(Y.encodeStateVector(doc)).toString('base64url')
    await api.patch(name, [{ index: 5, insert: ' world' }])
    const { body, status } = await api.readUpdate(name, `?since=${since}`)
    expect([status, etag]).toEqual([200, expect.any(String)])
    Y.applyUpdate(doc, body instanceof Uint8Array ? body : new Uint8Array())
    expect(doc.getText('content').toString()).toBe('hello world')
    const whole = await api.readUpdate(name)
    expect(
      docOf(whole.body instanceof Uint8Array ? whole.body : new Uint8Array())
        .getText('content')
        .toString(),
    ).toBe('hello world')
  })

  test('that is none, or builds on what nobody has, is refused', async () => {
    const { api, name } = await start()
    expect(await api.postUpdate(name, Uint8Array.of(1, 2, 3))).toMatchObject({
      status: 400,
      code: 'UPDATE_MALFORMED',
    })
    const doc = new Y.Doc()
    doc.getText('content').insert(0, 'a')
    const before = Y.encodeStateVector(doc)
    doc.getText('content').insert(1, 'b')
    const update = Y.encodeStateAsUpdate(doc, before)
    expect(await api.postUpdate(name, update)).toMatchObject({ status: 409, code: 'UPDATE_INCOMPLETE' })
  })
})

test('who is here is told as they show themselves', async () => {
  const { api, url, name } = await start()
  const ada = await syncedClient({ release, url, document: name })
  ada.provider.awareness.setLocalStateField('user', { name: 'Ada' })
  const present = async () => Object((await api.call('GET', `api/documents/${name}/presence`)).body).present
  let seen: { clientId: number; state: unknown }[] = []
  while (!JSON.stringify(seen).includes('Ada')) seen = await present()
  expect(seen).toEqual([{ clientId: ada.doc.clientID, state: ada.provider.awareness.getLocalState() }])
})

describe('documents', () => {
  test('are listed by prefix, page by page', async () => {
    const { api } = await start({})
    for (const name of ['a/1', 'a/2', 'a/3', 'b']) await api.patch(name, { n: 1 })
    const list = async (query: string) => (await api.call('GET', `api/documents${query}`)).body
    expect(await list('?prefix=a/&limit=2')).toEqual({ documents: ['a/1', 'a/2'], next: 'a/2' })
    expect(await list('?prefix=a/&limit=2&after=a/2')).toEqual({ documents: ['a/3'] })
    expect(await list('')).toEqual({ documents: ['a/1', 'a/2', 'a/3', 'b'] })
    expect(await api.call('GET', 'api/documents?limit=0')).toMatchObject({ status: 400, code: 'REQUEST_INVALID' })
  })

  test('have facts', async () => {
    const { api, name } = await start()
    const { etag } = await api.patch(name, { n: 1 })
    const facts = await api.call('GET', `api/documents/${name}`)
    expect(facts).toMatchObject({ status: 200, body: { name: name, cursor: etag, tailEntries: 1 } })
    expect(await api.call('GET', 'api/documents/missing')).toMatchObject({ status: 404, code: 'DOCUMENT_MISSING' })
  })
})

describe('by a token', () => {
  const bearer = async (coedit: object) => ({ authorization: `Bearer ${await token({ coedit })}` })

  test('one may do what it says', async () => {
    const { url } = await startInProcess({ release, options: { authSecret: SECRET } })
    const writer = documentsApi(url, await bearer({ write: ['team/*'], list: ['team/*'] }))
    const reader = documentsApi(url, await bearer({ read: ['team/*'] }))
    const nobody = documentsApi(url)
    expect(await writer.patch('team/a', { n: 1 })).toMatchObject({ status: 204 })
    expect(await writer.patch('other', { n: 1 })).toMatchObject({ status: 403, code: 'FORBIDDEN' })
    expect(await reader.patch('team/a', { n: 2 })).toMatchObject({ status: 403, code: 'FORBIDDEN' })
    expect(await nobody.read('team/a')).toMatchObject({ status: 401, code: 'UNAUTHORIZED' })
    expect(await reader.read('team/a')).toMatchObject({ status: 200, body: { content: { n: 1 } } })
    expect(await writer.call('GET', 'api/documents?prefix=team/')).toMatchObject({ body: { documents: ['team/a'] } })
    expect(await writer.call('GET', 'api/documents')).toMatchObject({ status: 403, code: 'FORBIDDEN' })
    expect(await reader.call('GET', 'api/documents?prefix=team/')).toMatchObject({ status: 403, code: 'FORBIDDEN' })
    expect(await nobody.call('GET', 'api/documents')).toMatchObject({ status: 401, code: 'UNAUTHORIZED' })
  })
})

describe('what is wrong is refused, and costs nobody else anything', () => {
  const deep = `${'['.repeat(200)}${']'.repeat(200)}`
  const JSON_PATCH = { type: 'application/json-patch+json' }
  test.for([
    ['no JSON', '{', {}, 400, 'BODY_INVALID'],
    ['another type', 'x', { type: 'text/csv' }, 400, 'BODY_INVALID'],
    ['no operations', '[]', JSON_PATCH, 400, 'BODY_INVALID'],
    ['an unknown operation', [{ op: 'increment', path: '/n' }], JSON_PATCH, 400, 'BODY_INVALID'],
    ['a path without slash', [{ op: 'remove', path: 'n' }], {}, 400, 'BODY_INVALID'],
    ['a path with a bad escape', [{ op: 'remove', path: '/~2' }], {}, 400, 'BODY_INVALID'],
    ['a path that leads nowhere', [{ op: 'remove', path: '/none' }], {}, 409, 'EDIT_CONFLICT'],
    ['a path below a number', [{ op: 'add', path: '/n/x', value: 1 }], {}, 409, 'EDIT_CONFLICT'],
    ['an index that is none', [{ op: 'add', path: '/list/01', value: 1 }], {}, 409, 'EDIT_CONFLICT'],
    ['an index beyond the end', [{ op: 'add', path: '/list/9', value: 1 }], {}, 409, 'EDIT_CONFLICT'],
    ['a move into itself', [{ op: 'move', from: '/list', path: '/list/0' }], {}, 400, 'BODY_INVALID'],
    ['a number as a root', [{ op: 'replace', path: '', value: 1 }], {}, 409, 'EDIT_CONFLICT'],
    ['a prototype that is not there', [{ op: 'remove', path: '/__proto__/x' }], {}, 409, 'EDIT_CONFLICT'],
    ['deep JSON', `[{"op":"add","path":"/x","value":${deep}}]`, JSON_PATCH, 400, 'BODY_INVALID'],
    ['a deep merge patch', `{"a":${deep}}`, {}, 400, 'BODY_INVALID'],
    ['an array as a merge patch', '[1]', { type: 'application/merge-patch+json' }, 400, 'BODY_INVALID'],
    ['edits of what is no text', [{ index: 0, insert: 'x' }], {}, 409, 'EDIT_CONFLICT'],
    ['a negative position', [{ index: -1, insert: 'x' }], {}, 400, 'BODY_INVALID'],
    ['edits of both kinds', [{ index: 0, find: 'x', replace: 'y' }], {}, 400, 'BODY_INVALID'],
  ] as const)('%s', async ([, body, given, status, code]) => {
    const { api, name } = await start()
    await api.patch(name, { n: 1, list: [1] })
    expect(await api.patch(name, body, '', given)).toMatchObject({ status, code })
    expect(await api.read(name, '?root=content')).toMatchObject({ body: { n: 1, list: [1] } })
  })

  test('a body that is too large', async () => {
    const { api, name } = await start({ maxBodyBytes: 2048 })
    expect(await api.patch(name, { n: 'x'.repeat(3000) })).toMatchObject({ status: 413, code: 'BODY_TOO_LARGE' })
    expect(await api.patch(name, { n: 1 })).toMatchObject({ status: 204 })
  })

  test('a document that is too much for Yjs', async () => {
    // A busy machine takes longer for it than servers keep connections that are not used: this one has none yet.
    const update = deeplyNested(200_000)
    const { api, name } = await start({})
    await api.patch(name, { n: 1 })
    expect(await api.postUpdate('deep', update)).toMatchObject({ status: 204 })
    const [deep, other] = await Promise.all([api.read('deep'), api.read(name, '?root=content')])
    expect(deep).toMatchObject({ status: 422, code: 'DOCUMENT_UNREADABLE' })
    expect(other).toMatchObject({ status: 200, body: { n: 1 } })
  })

  test('a document that is full', async () => {
    const { api, name } = await start({ maxDocumentBytes: 1024 })
    expect(await api.patch(name, { n: 1 })).toMatchObject({ status: 204 })
    const [first, second] = await Promise.all([api.patch(name, { x: 'x'.repeat(2000) }), api.patch(name, { y: 1 })])
    expect(first).toMatchObject({ status: 413, code: 'DOCUMENT_FULL' })
    expect([204, 413]).toContain(second.status)
    expect(await api.patch(name, { n: 2 })).toMatchObject({ status: 204 })
    expect(await api.read(name, '?root=content')).toMatchObject({ body: { n: 2 } })
  })

  test('nor is any of it done where there is no room for all of it, nor what comes with it harmed', async () => {
    const { api, name } = await start({ maxDocumentBytes: 1024 })
    await api.patch(name, { a: 1, b: 2, c: 3, d: 4 })
    const long = 'x'.repeat(2000)
    const answers = await Promise.all([
      api.patch(name, { a: long, b: null }),
      api.patch(name, { c: 5 }),
      api.patch(name, { d: long }),
      api.patch(name, { b: null }),
    ])
    expect(answers.map(({ status }) => status)).toEqual([413, 204, 413, 204])
    expect(await api.read(name, '?root=content')).toMatchObject({ body: { a: 1, c: 5, d: 4 } })
  })
})

test('what was answered is there when the process is killed the moment after', async () => {
  const server = await startServer({ release })
  const api = documentsApi(server.url)
  let answered = 0
  const writing = Array.from({ length: 8 }, async (_, writer) => {
    for (let n = 1; n <= 50; n++) {
      const key = `${writer}-${n}`
      const { status } = await api.patch('ledger', { [key]: n }).catch(() => ({ status: 0 }))
      if (status !== 204) return
      kept.add(key)
      if (++answered === 100) await server.kill('SIGKILL')
    }
  })
  const kept = new Set<string>()
  await Promise.all(writing)
  const restarted = await startServer({ release, data: server.data })
  const { body } = await documentsApi(restarted.url).read('ledger', '?root=content')
  expect([...kept].filter((key) => !Object.hasOwn(Object(body), key))).toEqual([])
  expect(kept.size).toBeGreaterThanOrEqual(100)
})

test('the examples of the README run line by line', async () => {
  const { url } = await startServer({ release })
  const printedBelow = async (heading: string): Promise<readonly string[]> => {
    const lines = await blockIn('server/README.md', heading, 'sh')
    const example = filledIn(lines, { 'localhost:1234': new URL(url).host })
    const printed: string[] = []
    for (const line of example.trim().split('\n')) {
      const { stdout } = await run('bash', ['-c', line])
      if (stdout !== '') printed.push(stdout)
    }
    return printed
  }
  const printed = await printedBelow('## Without Yjs')
  expect(`${printed.join('\n')}\n`).toBe(await blockIn('server/README.md', 'They print what was read:', 'text'))
  const [timeline, first, ...others] = await printedBelow('## History')
  expect(JSON.parse(timeline)).toMatchObject({ groups: [{ author: null, first: 1, last: 2, entries: 2 }] })
  expect([first, others]).toEqual(['Hello, world', []])
  expect(await documentsApi(url).read('notes', '?root=content&as=text')).toMatchObject({ body: 'Hello, world' })
})
