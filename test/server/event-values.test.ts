import { setImmediate as nextTurn } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Json } from '../../server/src/content/requests.ts'
import type { ServerOptions } from '../../server/src/index.ts'
import { bundleScript } from '../support/bundle.ts'
import { launchChromium } from '../support/chromium.ts'
import { documentsApi } from '../support/documents-api.ts'
import { requestEvents } from '../support/event-stream.ts'
import { startInProcess } from '../support/in-process-server.ts'
import { startMortalServer } from '../support/mortal-server.ts'
import { blockIn } from '../support/papers.ts'
import { findPostgres, NO_POSTGRES, startPostgres } from '../support/postgres.ts'
import { startServer } from '../support/process.ts'
import { startProxy } from '../support/proxy.ts'
import { Random } from '../support/random.ts'
import { type StockClient, syncedClient, textOf } from '../support/stock-clients.ts'
import { RIGHTS, SECRET, token } from '../support/tokens.ts'
import { elementsIn, Typist } from '../support/typist.ts'
import { untilChanged } from '../support/until.ts'
import { ValueFollower, type ValueFollowing } from '../support/value-follower.ts'

const release = onTestFinished
const PAGE = fileURLToPath(new URL('../support/value-follower.page.ts', import.meta.url))

async function start(options?: ServerOptions) {
  const started = await startInProcess({ release, ...(options && { options }) })
  return { ...started, api: documentsApi(started.url) }
}

function follower(url: string, as: 'text' | 'json', more: Partial<ValueFollowing> = {}): ValueFollower {
  return new ValueFollower({ release, url, document: 'notes', as, ...more })
}

function append({ doc }: StockClient, text: string): void {
  textOf({ doc }).insert(textOf({ doc }).length, text)
}

/** Editors who type at random. */
async function typists(url: string, count: number, seed: number): Promise<readonly (Typist & StockClient)[]> {
  const clients = Array.from({ length: count }, () => syncedClient({ release, url, document: 'notes' }))
  return Promise.all(
    clients.map(async (client, index) =>
      Object.assign(new Typist(`${index}`, (await client).doc, new Random(seed + index)), await client),
    ),
  )
}

/** Resolves with the text and the elements that all have. */
async function agreed(all: readonly StockClient[]): Promise<{ readonly text: string; readonly elements: Json }> {
  const [{ doc }] = all
  const count = all.reduce((sum, one) => Math.max(sum, elementsIn(one.doc).length), 0)
  await untilChanged(
    all.map((one) => one.doc),
    'the editors agree',
    () => new Set(all.map((one) => JSON.stringify([textOf(one), elementsIn(one.doc)]))).size === 1,
  )
  expect(elementsIn(doc).length).toBeGreaterThanOrEqual(count)
  return { text: textOf({ doc }).toString(), elements: elementsIn(doc).toJSON() }
}

describe('?as=text and ?as=json', () => {
  test('R52 R53 begin with the value, and bring each change with its cursor, which is the ETag', async () => {
    const { url, api, server } = await start()
    const [text, json] = [follower(url, 'text'), follower(url, 'json', { root: 'stock' })]
    expect(await Promise.all([text.follow(), json.follow()])).toEqual([200, 200])
    await text.shows('')
    await json.shows(null)
    await server.edit('notes', (doc) => doc.getText('text').insert(0, 'one'))
    await api.patch('notes', { apple: { count: 3 } }, '?root=stock')
    const { etag } = await api.patch('notes', { apple: { count: 2 } }, '?root=stock')
    await json.shows({ apple: { count: 2 } })
    await text.shows('one')
    expect(json.ids.at(-1)).toBe(etag)
    expect([text.resets, json.resets]).toEqual([1, 1])

    const late = follower(url, 'json', { root: 'stock' })
    await late.follow()
    await late.shows({ apple: { count: 2 } })
    expect(late.ids).toEqual([etag])
  })

  test.for([1, 2])('rebuild what editors typed at random, whenever the reader comes back (seed %i)', async (seed) => {
    const { url } = await start({ compactMaxEntries: 20, compactMinBytes: 0, compactIntervalMs: 0 })
    const editors = await typists(url, 3, seed)
    const [text, json] = [follower(url, 'text'), follower(url, 'json', { root: 'elements' })]
    await Promise.all([text.follow(), json.follow()])
    const random = new Random(seed)
    for (const editor of editors) editor.start()
    for (let visit = 0; visit < 6; visit++) {
      const written = editors[0].written.length + 5 + random.below(15)
      await untilChanged([editors[0].doc], 'somebody has typed', () => editors[0].written.length >= written)
      await text.leave()
      await text.follow()
    }
    for (const editor of editors) editor.stop()
    const expected = await agreed(editors)
    await text.shows(expected.text)
    await json.shows(expected.elements)
    // Nothing but the beginning came whole: the server has not forgotten where the reader was.
    expect([text.resets, json.resets]).toEqual([1, 1])
    expect(new Set(text.ids).size).toBe(text.ids.length)
  })

  test('go on behind the last event after a restart in order, without the value', async () => {
    const first = await start()
    const writer = await syncedClient({ release, url: first.url, document: 'notes' })
    const reader = follower(first.url, 'text')
    await reader.follow()
    append(writer, 'before ')
    await reader.shows('before ')
    await first.server.close()

    const second = await start({ data: first.data })
    const other = await syncedClient({ release, url: second.url, document: 'notes' })
    append(other, 'and ')
    append(other, 'after')
    reader.moveTo(second.url)
    await reader.follow()
    await reader.shows('before and after')
    expect(reader.resets).toBe(1)
  })

  test('begin anew with the value behind an id that stands for nothing, or is of what was compacted away', async () => {
    const { url, server, api } = await start({ compactMaxEntries: 5, compactMinBytes: 0, compactIntervalMs: 0 })
    await server.edit('notes', (doc) => doc.getText('text').insert(0, 'x'))
    const { etag } = await api.read('notes')
    for (const id of ['x', '1-1', `${etag?.split('-')[0]}-99`]) {
      const reader = follower(url, 'text')
      await reader.follow(id)
      await reader.shows('x')
      expect(reader.resets).toBe(1)
    }
  })

  test('are refused where the root is no text, and where nobody knows the representation', async () => {
    const { url, server } = await start()
    await server.edit('notes', (doc) => doc.getMap('map').set('a', 1))
    expect(await follower(url, 'text', { root: 'map' }).follow()).toBe(409)
    const response = await requestEvents({ release, url, segment: 'notes', query: '?as=xml' })
    expect(response.statusCode).toBe(400)
    // What turns out to be no text ends the stream.
    const early = follower(url, 'text', { root: 'later' })
    await early.follow()
    await server.edit('notes', (doc) => doc.getMap('later').set('a', 1))
    await early.ended()
  })

  test('R55 skip to what is newest for a reader that takes nothing for a while', async () => {
    const { url, server } = await start()
    const [slow, quick] = [follower(url, 'text'), follower(url, 'text')]
    await Promise.all([slow.follow(), quick.follow()])
    await slow.shows('')
    slow.pause()
    const block = 'x'.repeat(500_000)
    for (let round = 0; round < 24; round++) {
      await server.edit('notes', (doc) => {
        const text = doc.getText('text')
        text.delete(0, text.length)
        text.insert(0, `${round} ${block}`)
      })
    }
    await quick.shows(`23 ${block}`)
    slow.resume()
    await slow.shows(`23 ${block}`)
    expect(slow.resets).toBeGreaterThan(1)
    expect(slow.bytes).toBeLessThan(quick.bytes)
  })

  test('need the right to read, and end with it', async () => {
    const { url, server } = await start({ authSecret: SECRET })
    const bearer = async (claims: object) => ({ headers: { authorization: `Bearer ${await token(claims)}` } })
    expect(await follower(url, 'text').follow()).toBe(401)
    expect(await follower(url, 'text', await bearer({ coedit: { read: ['other'] } })).follow()).toBe(403)
    const reader = follower(url, 'text', await bearer({ sub: 'ann', coedit: RIGHTS }))
    expect(await reader.follow()).toBe(200)
    await server.revoke({ user: 'ann' })
    await reader.ended()
    expect(await reader.follow()).toBe(401)
  })

  test('go on at another server of the same database', async ({ skip }) => {
    if (findPostgres() === undefined) skip(NO_POSTGRES)
    const postgres = await startPostgres(release)
    const flags = ['--database', await postgres.newDatabase()]
    const nodes = [await startServer({ release, flags }), await startServer({ release, flags })]
    const writer = await syncedClient({ release, url: nodes[0].url, document: 'notes' })
    const reader = follower(nodes[1].url, 'text')
    await reader.follow()
    append(writer, 'one ')
    await reader.shows('one ')
    await reader.leave()
    append(writer, 'two ')
    reader.moveTo(nodes[0].url)
    await reader.follow()
    await reader.shows('one two ')
    append(writer, 'three')
    await reader.shows('one two three')
    expect(reader.resets).toBe(1)
  })

  test('show what is durable when the server is killed again and again under those who type', async () => {
    const mortal = await startMortalServer(release)
    const editors = await typists(mortal.url, 2, 7)
    const reader = follower(mortal.url, 'text')
    await reader.follow()
    for (const editor of editors) editor.start()
    for (let life = 0; life < 3; life++) {
      const seen = reader.ids.length + 10
      await reader.until('some changes have come', () => reader.ids.length >= seen)
      await mortal.kill()
      await reader.ended()
      await mortal.restart()
      await reader.follow()
    }
    for (const editor of editors) editor.stop()
    await Promise.all(editors.map((editor) => editor.synced()))
    await reader.shows((await agreed(editors)).text)
  })
})

describe('?presence=1', () => {
  test('R54 tells who is here, who joins, what they change and who leaves, and no renewals', async () => {
    const { url } = await start()
    const [ann, bob] = await Promise.all(
      ['ann', 'bob'].map((name) =>
        syncedClient({ release, url, document: 'notes' }).then((client) => ({ ...client, name })),
      ),
    )
    ann.provider.awareness.setLocalState({ name: 'ann\n' })
    await bob.sees(ann.doc.clientID)
    const reader = follower(url, 'text', { more: '&presence=1' })
    await reader.follow()
    await reader.until('ann is here', () => reader.present.has(ann.doc.clientID))
    expect(reader.present.get(ann.doc.clientID)).toEqual({ name: 'ann\n' })

    bob.provider.awareness.setLocalState({ name: 'bob', cursor: 1 })
    await reader.until(
      'bob has moved',
      () => JSON.stringify(reader.present.get(bob.doc.clientID))?.includes('cursor') ?? false,
    )
    bob.provider.awareness.setLocalState({ name: 'bob', cursor: 1 })
    bob.provider.awareness.setLocalState({ name: 'bob', cursor: 2 })
    await reader.until('bob has moved on', () =>
      reader.presenceNews.some(({ changed }) => JSON.stringify(changed)?.includes('"cursor":2')),
    )
    await bob.leave()
    await reader.until('bob is gone', () => !reader.present.has(bob.doc.clientID))
    expect(reader.presenceNews.at(-1)).toEqual({ left: [bob.doc.clientID] })
    expect(reader.presenceNews.filter(({ present }) => present)).toHaveLength(1)
    // It has no place in the log.
    expect(reader.ids).toHaveLength(1)
  })

  test('comes with the updates of Yjs, too', async () => {
    const { url } = await start()
    const ann = await syncedClient({ release, url, document: 'notes' })
    const response = await requestEvents({ release, url, segment: 'notes', query: '?presence=1' })
    let all = ''
    append(ann, 'text')
    for await (const text of response) {
      all += text
      if (all.includes('event: presence') && /^data: [A-Za-z0-9]/m.test(all)) return
    }
  })
})

test('the ticker of the README shows prices in a browser, as it stands', async () => {
  const { url, api } = await start()
  await api.patch('shop', { apple: 1.2 }, '?root=prices')
  const browser = await launchChromium()
  release(() => browser.close())
  const page = await browser.newPage()
  await page.goto(`${url}health`)
  await page.evaluate(await blockIn('server/README.md', '## Without Yjs', 'js'))
  const shows = (text: string) => page.waitForFunction((expected) => document.body.innerText === expected, text)
  await shows('/apple,1.2')
  await api.patch('shop', { apple: 1.3, pear: 2 }, '?root=prices')
  await shows('/apple,1.3\n/pear,2')
})

test("a browser's EventSource shows the text while others type and its connection breaks", async () => {
  const { url } = await start()
  const proxy = await startProxy({ release, target: url })
  const [first, second] = await Promise.all([1, 2].map(() => syncedClient({ release, url, document: 'notes' })))
  const browser = await launchChromium()
  release(() => browser.close())
  const page = await browser.newPage()
  await page.addInitScript({ content: await bundleScript(PAGE, 'follower') })
  await page.goto(`${proxy.url}health#/api/documents/notes/events?as=text&root=text`)
  const shown = (text: string) =>
    page.waitForFunction((expected) => document.documentElement.dataset.text === expected, text)
  append(first, 'before 😀 ')
  await shown('before 😀 ')
  for (let edit = 0; edit < 50; edit++) {
    append(edit % 2 ? first : second, `${edit} `)
    if (edit === 25) proxy.cut()
    await nextTurn()
  }
  const docs = [first.doc, second.doc]
  await untilChanged(docs, 'the writers agree', () => textOf(first).toString() === textOf(second).toString())
  await shown(textOf(first).toString())
  expect(await page.evaluate(() => document.documentElement.dataset.resets)).toBe('1')
})

test('streams of the same kind are sent the same bytes', async () => {
  const { url, server } = await start()
  await server.edit('notes', (doc) => doc.getText('text').insert(0, 'x'.repeat(5_000_000)))
  const readers = Array.from({ length: 40 }, () => follower(url, 'text'))
  const before = process.memoryUsage().arrayBuffers
  await Promise.all(readers.map((reader) => reader.follow()))
  for (const reader of readers) reader.pause()
  const after = process.memoryUsage().arrayBuffers
  expect(after - before).toBeLessThan(100_000_000)
})
