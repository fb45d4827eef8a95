import { setImmediate as nextTurn } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { EncodedPiece } from '../../server/src/document/piece.ts'
import { EventData } from '../../server/src/http/event-data.ts'
import type { ServerOptions } from '../../server/src/index.ts'
import { LevelStorage } from '../../server/src/storage/level/level-storage.ts'
import { compactCopying } from '../../server/src/workers/compaction.ts'
import { bundleScript } from '../support/bundle.ts'
import { launchChromium } from '../support/chromium.ts'
import { edit } from '../support/edits.ts'
import { type EventsRequest, partsOf, requestEvents } from '../support/event-stream.ts'
import { type InProcessServer, startInProcess } from '../support/in-process-server.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { presence } from '../support/messages.ts'
import { startProxy } from '../support/proxy.ts'
import { connectRaw } from '../support/raw-client.ts'
import { type StockClient, syncedClient, textOf } from '../support/stock-clients.ts'
import { untilChanged } from '../support/until.ts'

const release = onTestFinished
const FOLLOWER = fileURLToPath(new URL('../support/event-follower.page.ts', import.meta.url))

async function startServer(options: ServerOptions = {}): Promise<InProcessServer> {
  return startInProcess({ release, options })
}

/** Somebody who writes to the document over a WebSocket. */
function connectWriter(url: string, document: string): Promise<StockClient> {
  return syncedClient({ release, url, document })
}

function append({ doc }: StockClient, text: string): void {
  textOf({ doc }).insert(textOf({ doc }).length, text)
}

/** Reads one document as events, over as many streams as it takes. */
class Follower {
  readonly doc = new Y.Doc()
  readonly ids: string[] = []
  events = 0
  /** Structs that came although they were here. */
  repeated = 0
  #request: EventsRequest
  #leave = () => {}

  constructor(request: EventsRequest) {
    this.#request = request
  }

  /** Asks for the stream behind the last event, or behind `lastEventId`. Resolves when the server has answered. */
  async follow(lastEventId = this.ids.at(-1)): Promise<void> {
    const response = await requestEvents({ ...this.#request, lastEventId })
    expect(response.headers['content-type']).toMatch(/^text\/event-stream/)
    this.#leave = () => response.destroy()
    void this.#read(partsOf(response))
  }

  /** From now on it asks this server. */
  moveTo(url: string): void {
    this.#request = { ...this.#request, url }
  }

  leave(): void {
    this.#leave()
  }

  async shows(text: string): Promise<void> {
    await untilChanged([this.doc], `the stream has brought '${text}'`, () => textOf(this).toString() === text)
  }

  async #read(parts: ReturnType<typeof partsOf>): Promise<void> {
    for await (const part of parts) {
      if (part.kind === 'comment') continue
      this.events++
      if (part.id !== undefined) this.ids.push(part.id)
      this.#apply(Buffer.from(part.data, 'base64'))
    }
  }

  #apply(update: Uint8Array): void {
    const known = Y.decodeUpdate(update).structs.filter(({ id }) => id.clock < Y.getState(this.doc.store, id.client))
    this.repeated += known.length
    Y.applyUpdate(this.doc, update)
  }
}

/** The numbers in the ids, which begin with what tells one life of a document from another. */
function numbersIn(ids: readonly string[]): number[] {
  return ids.map((id) => Number(id.split('-')[1]))
}

/** Compacts what is stored: what the server does in a worker, when it finds the time. */
async function compact(directory: string, chunkBytes: number): Promise<void> {
  const storage = new LevelStorage({ directory })
  await storage.open()
  const { head, tail } = await storage.load('notes')
  const compaction = compactCopying(
    tail.map(({ update }) => update),
    chunkBytes,
  )
  expect(await storage.compact('notes', { snapshot: { seq: head, ...compaction }, replaces: 0 })).toBe(true)
  await storage.close()
}

test('an event is made once for all streams that are sent it at the same time', () => {
  const { update } = edit('hello')
  const eventData = new EventData()
  const piece = new EncodedPiece(update, 1)
  const event = eventData.of(piece, 'a-1')
  expect(Buffer.from(event).toString()).toBe(`data: ${Buffer.from(update).toString('base64')}\nid: a-1\n\n`)
  expect(eventData.of(piece, 'a-1')).toBe(event)
  expect(eventData.of(new EncodedPiece(update, 2), 'a-2')).not.toBe(event)
})

describe('GET /api/documents/NAME/events', () => {
  test('answers at once and brings each edit with its number', async () => {
    const { url } = await startServer()
    const follower = new Follower({ release, url, segment: 'notes' })
    await follower.follow()
    const writer = await connectWriter(url, 'notes')
    for (const text of ['a', 'ab', 'abc']) {
      append(writer, text.slice(-1))
      await follower.shows(text)
    }
    expect(numbersIn(follower.ids)).toEqual([1, 2, 3])
    expect(follower.repeated).toBe(0)
  })

  test('goes on behind the event that the reader names, without gap or repeat', async () => {
    const { url } = await startServer()
    const writer = await connectWriter(url, 'notes')
    const follower = new Follower({ release, url, segment: 'notes' })
    await follower.follow()
    append(writer, 'before ')
    await follower.shows('before ')
    follower.leave()
    append(writer, 'and ')
    append(writer, 'after')
    await follower.follow()
    await follower.shows('before and after')
    expect(follower.repeated).toBe(0)
  })

  test('goes on across a restart of the server', async () => {
    const first = await startServer()
    const writer = await connectWriter(first.url, 'notes')
    const follower = new Follower({ release, url: first.url, segment: 'notes' })
    await follower.follow()
    append(writer, 'before ')
    await follower.shows('before ')
    await first.server.close()

    const second = await startServer({ data: first.data })
    const other = await connectWriter(second.url, 'notes')
    append(other, 'after')
    follower.moveTo(second.url)
    await follower.follow()
    await follower.shows('before after')
    expect(follower.repeated).toBe(0)
    expect(numbersIn(follower.ids)).toEqual([1, 2])
  })

  test('brings each edit once to who follows while the document is compacted again and again', async () => {
    const { url } = await startServer({ compactMaxEntries: 10, compactMinBytes: 0, compactIntervalMs: 0 })
    const writer = await connectWriter(url, 'notes')
    const follower = new Follower({ release, url, segment: 'notes' })
    await follower.follow()
    for (let line = 0; line < 200; line++) {
      append(writer, `line ${line}\n`)
      await nextTurn()
      if (line % 20 === 0) await follower.shows(textOf(writer).toString())
    }
    await follower.shows(textOf(writer).toString())
    expect(follower.repeated).toBe(0)
  })

  test('starts with the whole document where the edits after the named one are no longer told apart', async () => {
    const chunkBytes = 1024
    const first = await startServer({ chunkBytes })
    const writer = await connectWriter(first.url, 'notes')
    const follower = new Follower({ release, url: first.url, segment: 'notes' })
    await follower.follow()
    append(writer, 'before ')
    await follower.shows('before ')
    follower.leave()
    const other = await connectWriter(first.url, 'notes')
    append(other, 'x'.repeat(5_000))
    await untilChanged(
      [writer.doc],
      'the server has the edit',
      () => textOf(writer).toString() === textOf(other).toString(),
    )
    await first.server.close()
    await compact(first.data, chunkBytes)

    const second = await startServer({ chunkBytes, data: first.data })
    const fresh = new Follower({ release, url: second.url, segment: 'notes' })
    await fresh.follow(follower.ids.at(-1))
    await fresh.shows(`before ${'x'.repeat(5_000)}`)
    // It came in several chunks, of which only the last is one to go on behind.
    expect(fresh.events).toBeGreaterThan(1)
    expect(fresh.ids).toHaveLength(1)
  })

  test.for([
    ['of another life of the document', '1-1'],
    ['ahead of the document', '-99'],
    ['that is none', 'x'],
    ['of a negative number', '--1'],
  ])('starts at the beginning behind an id %s', async ([, lastEventId]) => {
    const { url } = await startServer()
    const writer = await connectWriter(url, 'notes')
    const follower = new Follower({ release, url, segment: 'notes' })
    await follower.follow()
    append(writer, 'text')
    await follower.shows('text')
    const [life] = follower.ids[0].split('-')
    const again = new Follower({ release, url, segment: 'notes' })
    await again.follow(lastEventId.startsWith('-') ? `${life}${lastEventId}` : lastEventId)
    await again.shows('text')
  })

  test('says so, too, while somebody moves a cursor: presence is no news to a stream', async () => {
    const clock = new ManualClock()
    const { url } = await startInProcess({ release, options: { keepAliveMs: 1_000 }, clock })
    const owner = await connectRaw({ release, url, document: 'silent' })
    const witness = await connectRaw({ release, url, document: 'silent' })
    await Promise.all([owner, witness].map((client) => client.message('step1')))
    const parts = partsOf(await requestEvents({ release, url, segment: 'silent' }))
    await clock.hasTimerOf(1_000)
    owner.send(presence({ clientId: 7, clock: 1, state: 'here' }))
    await owner.roundTrip()
    clock.advance(500)
    await witness.message('presence')
    clock.advance(500)
    expect(await parts.next()).toEqual({ done: false, value: { kind: 'comment' } })
  })

  test('sends a comment in silence, so that nobody on the way gives up the connection', async () => {
    const { url } = await startServer({ keepAliveMs: 100 })
    const parts = partsOf(await requestEvents({ release, url, segment: 'notes' }))
    expect((await parts.next()).value).toEqual({ kind: 'comment' })
    expect((await parts.next()).value).toEqual({ kind: 'comment' })
  })

  test('ends when the server closes', async () => {
    const { url, server } = await startServer()
    const parts = partsOf(await requestEvents({ release, url, segment: 'notes' }))
    await server.close()
    expect(await parts.next()).toMatchObject({ done: true })
  })

  test.for(['a/b', '100%', '%20', '😀 é', 'a?b#c', 'events'])(
    "names the document '%s' by one encoded segment",
    async (document) => {
      const { url } = await startServer()
      const writer = await connectWriter(url, document)
      const follower = new Follower({ release, url, segment: encodeURIComponent(document) })
      await follower.follow()
      append(writer, document)
      await follower.shows(document)
    },
  )

  test.for([
    '',
    '.',
    '..',
    '%2e%2E',
    '%00',
    'a%0Ab',
    '%C2%85',
    'a%2F..%2Fb',
    '..%2Fb',
    'x'.repeat(256),
    encodeURIComponent('😀'.repeat(64)),
  ])("refuses the name '%s' with 400", async (segment) => {
    const { url } = await startServer()
    const response = await requestEvents({ release, url, segment })
    let body = ''
    for await (const text of response) body += text
    expect({ status: response.statusCode, code: JSON.parse(body).error.code }).toEqual({
      status: 400,
      code: 'DOCUMENT_NAME',
    })
  })
})

describe("a browser's EventSource", () => {
  test('shows the document while others type and its connection breaks', async () => {
    const { url } = await startServer()
    const proxy = await startProxy({ release, target: url })
    const [first, second] = [await connectWriter(url, 'notes 😀'), await connectWriter(url, 'notes 😀')]
    const browser = await launchChromium()
    release(() => browser.close())
    const page = await browser.newPage()
    await page.addInitScript({ content: await bundleScript(FOLLOWER, 'follower') })
    await page.goto(`${proxy.url}health#/api/documents/${encodeURIComponent('notes 😀')}/events`)
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
    expect(await page.evaluate(() => ({ ...document.documentElement.dataset }))).toMatchObject({
      opened: '2',
      repeated: '0',
    })
  })
})
