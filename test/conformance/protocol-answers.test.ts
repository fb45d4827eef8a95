import { beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import * as Y from 'yjs'
import type { ServerOptions } from '../../server/src/index.ts'
import { LevelStorage } from '../../server/src/storage/level/level-storage.ts'
import { afterTests } from '../support/after-tests.ts'
import { isPending } from '../support/editing.ts'
import { edit, Writer } from '../support/edits.ts'
import { Gate } from '../support/gate.ts'
import { startInProcess } from '../support/in-process-server.ts'
import { EMPTY_STATE, EMPTY_UPDATE, presence, step1, update } from '../support/messages.ts'
import { connectRaw, type RawClient, store } from '../support/raw-client.ts'
import { STOCK_VERSIONS, syncedClient, textOf } from '../support/stock-clients.ts'
import { storedDocument } from '../support/stored-document.ts'
import { type Release, temporaryDirectory } from '../support/temporary.ts'

const release = onTestFinished
const document = 'notes'

/** Compacts a document of some kilobytes when its last client leaves, and not before. */
const COMPACTING: ServerOptions = {
  chunkBytes: 1024,
  compactMinBytes: 16 * 1024,
  compactRatio: 0,
  compactIntervalMs: 0,
}
const KEEPING: ServerOptions = { chunkBytes: 1024, compactMinBytes: 2 ** 30 }

/** Text of one edit: a few of them fill a chunk. */
const PARAGRAPH = '0123456789'.repeat(30)

describe('R6', () => {
  test('R6 Step1 is answered by Updates and then an empty Step2', async () => {
    const { url } = await startInProcess({ release })
    const writer = new Writer()
    await store({ release, url, document }, writer.insert('hello ').update, writer.insert('world').update)
    const client = await connectRaw({ release, url, document })
    await client.follow()
    expect(client.types).toEqual(['step1', 'update', 'step2'])
    expect(client.all('step2')).toEqual([{ type: 'step2', update: EMPTY_UPDATE }])
    expect(textOf(client).toString()).toBe('hello world')
  })

  test.each(STOCK_VERSIONS)('R6 a stock client %s has everything when its sync event comes', async (version) => {
    const { url } = await startInProcess({ release, options: KEEPING })
    const writer = new Writer()
    const updates = Array.from({ length: 40 }, () => writer.insert(PARAGRAPH).update)
    await store({ release, url, document }, ...updates)
    const reader = await syncedClient({ release, url, document, version })
    expect(textOf(reader).length).toBe(40 * PARAGRAPH.length)
  })
})

describe.each([
  ['kept in memory', 2 ** 20],
  ['read from the disk each time', 0],
])('R7 with a snapshot %s:', (_, snapshotCacheBytes) => {
  const releaseAll = afterTests()
  /** Who wrote all of the document. */
  let writer: Writer
  let url: string
  /** The state vector in the middle of the snapshot, and that of the whole of it. */
  let middle: Uint8Array
  let whole: Uint8Array

  /** A document of a snapshot and entries after it, with deletions in both. */
  beforeAll(async () => {
    writer = new Writer()
    const data = await temporaryDirectory(releaseAll)
    const compacting = await startInProcess({ release: releaseAll, options: { ...COMPACTING, data } })
    const compaction = nextCompaction(releaseAll)
    const firstHalf = paragraphs(20)
    middle = Y.encodeStateVector(writer.doc)
    const secondHalf = [...paragraphs(20), writer.delete(100, 500).update]
    whole = Y.encodeStateVector(writer.doc)
    await store({ release: releaseAll, url: compacting.url, document }, ...firstHalf, ...secondHalf)
    await compaction
    await compacting.server.close()

    const { snapshot, tail } = await storedDocument(data, document)
    expect(snapshot?.chunks.length).toBeGreaterThan(8)
    expect(tail).toEqual([])

    const keeping = await startInProcess({ release: releaseAll, options: { ...KEEPING, data, snapshotCacheBytes } })
    url = keeping.url
    await store({ release: releaseAll, url, document }, ...paragraphs(2), writer.delete(0, 50).update)
  })

  function clockIn(stateVector: Uint8Array): number {
    return Y.decodeStateVector(stateVector).get(writer.doc.clientID) ?? 0
  }

  function paragraphs(edits: number): Uint8Array[] {
    return Array.from({ length: edits }, () => writer.insert(PARAGRAPH).update)
  }

  async function ask(stateVector: Uint8Array): Promise<RawClient> {
    const client = await connectRaw({ release, url, document })
    client.send(step1(stateVector))
    await client.message('step2')
    return client
  }

  test('R7 a client with nothing gets the document in pieces, and shows nothing of it before the last one', async () => {
    const updates = (await ask(EMPTY_STATE)).all('update').map((message) => message.update)
    expect(updates.length).toBeGreaterThan(5)
    const size = updates.reduce((sum, { length }) => sum + length, 0)
    const doc = new Y.Doc()
    for (const piece of updates) {
      expect(piece.length).toBeLessThanOrEqual(size / 8)
      expect(textOf({ doc }).length).toBe(0)
      Y.applyUpdate(doc, piece)
    }
    expect(isPending(doc)).toBe(false)
    expect(textOf({ doc }).toString()).toBe(writer.text.toString())
  })

  test('R7 a client that has the snapshot gets its deletions and what followed', async () => {
    const client = await ask(whole)
    expect(Math.min(...clocksIn(client))).toBe(clockIn(whole))
    expect(deletedIn(client)).toBe(550)
  })

  test('R7 a client that has part of the snapshot gets the difference', async () => {
    const client = await ask(middle)
    expect(Math.min(...clocksIn(client))).toBe(clockIn(middle))
    expect(deletedIn(client)).toBe(550)
  })

  test.each(STOCK_VERSIONS)('R7 a stock client %s catches up from each of these states', async (version) => {
    for (const stateVector of [EMPTY_STATE, middle, whole]) {
      const doc = docUpTo(stateVector)
      const client = await syncedClient({ release, url, document, version, doc })
      expect(textOf(client).length).toBe(writer.text.length)
    }
  })

  /** What a client with this state vector may hold, none of it deleted. */
  function docUpTo(stateVector: Uint8Array): Y.Doc {
    const copy = new Writer(writer.doc.clientID)
    while (copy.text.length < clockIn(stateVector)) copy.insert(PARAGRAPH)
    copy.doc.clientID++
    return copy.doc
  }
})

test('R7 who asks while a compaction replaces the snapshot shares the old one, and the next one gets the new one', async () => {
  const { url } = await startInProcess({ release, options: { ...COMPACTING, snapshotCacheBytes: 0 } })
  const writer = new Writer()
  const write = () =>
    store({ release, url, document }, ...Array.from({ length: 20 }, () => writer.insert(PARAGRAPH).update))
  const first = nextCompaction(release)
  await write()
  await first

  // The second compaction waits after its last step until a reader has been answered.
  const { compact } = LevelStorage.prototype
  const isStored = new Gate()
  const isAnswered = new Gate()
  const isReplaced = new Gate()
  vi.spyOn(LevelStorage.prototype, 'compact').mockImplementationOnce(async function (this: LevelStorage, ...args) {
    const isCompacted = await compact.apply(this, args)
    isStored.open()
    await isAnswered.opened
    setImmediate(() => isReplaced.open())
    return isCompacted
  })
  onTestFinished(() => void vi.restoreAllMocks())
  await write()
  await isStored.opened
  const load = vi.spyOn(LevelStorage.prototype, 'load')
  const answered = async () => {
    const reader = await connectRaw({ release, url, document })
    await reader.follow()
    expect(isPending(reader.doc)).toBe(false)
    expect(textOf(reader).length).toBe(writer.text.length)
  }
  await answered()
  expect(load).not.toHaveBeenCalled()
  isAnswered.open()
  await isReplaced.opened
  await answered()
  expect(load).toHaveBeenCalledOnce()
})

test('R8 a client that stands at the end and lacks nothing gets the empty Step2 alone', async () => {
  const { url } = await startInProcess({ release })
  const { update: made, stateVector } = edit('hello')
  const client = await connectRaw({ release, url, document, query: '?echo=1' })
  await client.follow(update(made))
  await client.until('its own edit came', () => client.all('update').length === 1)
  client.send(step1(stateVector))
  await client.message('step2', 1)
  expect(client.types).toEqual(['step1', 'step2', 'update', 'step2'])
})

test('R9 of many Step1 in a row the first and the last are answered', async () => {
  const { url } = await startInProcess({ release })
  const there = { release, url, document }
  const writer = new Writer(7)
  // More than a peer that does not read is sent before there is no room.
  const parts = Array.from({ length: 16 }, () => writer.insert('x'.repeat(1_000_000)).update)
  await store(there, ...parts)
  const flooder = await connectRaw(there)
  const reader = await connectRaw(there)
  await reader.follow()
  flooder.pause()
  const flood = Array<Uint8Array>(500).fill(step1())
  flooder.send(...flood, step1(writer.stateVector), presence({ clientId: 7, clock: 1, state: 'flooder' }))
  await reader.message('presence')
  flooder.resume()
  await flooder.message('step2', 1)
  await flooder.roundTrip()
  expect(flooder.all('step2')).toHaveLength(2)
  // The first has nothing and the last has everything.
  expect(textOf(flooder).toString()).toBe(writer.text.toString())
  expect(flooder.all('update').reduce((sum, message) => sum + message.update.length, 0)).toBeLessThan(17_000_000)
})

test('R10 new edits come from the moment the Step1 is answered, and none without Step1', async () => {
  const { url } = await startInProcess({ release })
  const silent = await connectRaw({ release, url, document })
  const reader = await connectRaw({ release, url, document })
  await reader.follow()
  const author = new Writer()
  const writer = await connectRaw({ release, url, document })
  writer.send(update(author.insert('a').update))
  await reader.message('update', 0)
  writer.send(update(author.insert('b').update))
  await reader.message('update', 1)
  await silent.roundTrip()
  expect(silent.types).toEqual(['step1'])

  await silent.follow()
  expect(textOf(silent).toString()).toBe('ab')
  writer.send(update(author.insert('c').update))
  await reader.message('update', 2)
  await silent.message('update', 1)
  expect(textOf(silent).toString()).toBe('abc')
})

/** Resolves when a server has stored a snapshot. */
function nextCompaction(release: Release): Promise<void> {
  const { compact } = LevelStorage.prototype
  return new Promise((resolve) => {
    const spy = vi.spyOn(LevelStorage.prototype, 'compact').mockImplementationOnce(async function (
      this: LevelStorage,
      ...args
    ) {
      const isCompacted = await compact.apply(this, args)
      resolve()
      return isCompacted
    })
    release(async () => spy.mockRestore())
  })
}

/** The clocks at which the structs that a client was sent begin. */
function clocksIn(client: RawClient): number[] {
  return client.all('update').flatMap(({ update }) => Y.decodeUpdate(update).structs.map(({ id }) => id.clock))
}

/** How many deleted ids it was told. */
function deletedIn(client: RawClient): number {
  const sets = client.all('update').map(({ update }) => Y.decodeUpdate(update).ds)
  const ranges = [...Y.mergeDeleteSets(sets).clients.values()].flat()
  return ranges.reduce((sum, { len }) => sum + len, 0)
}
