import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import type { Cursor } from '../../server/src/document/cursor.ts'
import type { Document } from '../../server/src/document/document.ts'
import type { Documents } from '../../server/src/document/documents.ts'
import type { StoredDocument } from '../../server/src/storage/document-store.ts'
import { LevelStorage } from '../../server/src/storage/level/level-storage.ts'
import { type CoreOptions, openCore } from '../support/core.ts'
import { docOf } from '../support/editing.ts'
import { startInProcess } from '../support/in-process-server.ts'
import { startServer } from '../support/process.ts'
import { Random } from '../support/random.ts'
import { isLong } from '../support/runs.ts'
import { freshCopy, type StockClient, stockClient, syncedClient } from '../support/stock-clients.ts'
import { temporaryDirectory } from '../support/temporary.ts'
import { elementsIn, Typist, textIn } from '../support/typist.ts'
import { untilChanged } from '../support/until.ts'

const release = onTestFinished

/** Keeps a document in memory and wants nothing else of it. */
class Holder {
  readonly document: Promise<Document>
  readonly #cursor: Promise<Cursor>

  constructor(documents: Documents, name: string) {
    this.#cursor = documents.join(name, { onEnd: () => void this.leave() })
    this.document = this.#cursor.then(({ document }) => document)
  }

  async leave(): Promise<void> {
    const cursor = await this.#cursor
    cursor.release()
  }
}

async function openStorage(directory: string): Promise<LevelStorage> {
  const storage = new LevelStorage({ directory })
  await storage.open()
  release(() => storage.close())
  return storage
}

/** Documents as the server holds them, on a real storage. */
async function openDocuments(options: CoreOptions['options'] = {}) {
  const storage = await openStorage(await temporaryDirectory(release))
  return { storage, ...openCore({ release, storage, options }) }
}

/** An update that writes a text into an empty document. */
function textUpdate(text: string): Uint8Array {
  const doc = new Y.Doc()
  textIn(doc).insert(0, text)
  return Y.encodeStateAsUpdate(doc)
}

function docIn({ snapshot, tail }: StoredDocument): Y.Doc {
  return docOf(...(snapshot?.chunks ?? []), ...tail.map(({ update }) => update))
}

/** Resolves when nothing is in memory any more. */
async function emptied(documents: Documents): Promise<void> {
  while (documents.size > 0) await nextTurn()
}

describe('a document in memory', () => {
  test('is one for all who join it at once', async () => {
    const { documents } = await openDocuments()
    const holders = [1, 2, 3].map(() => new Holder(documents, 'notes'))
    expect(new Set(await Promise.all(holders.map(({ document }) => document))).size).toBe(1)
    expect(documents.size).toBe(1)
  })

  test('leaves when the last of its followers does', async () => {
    const { documents } = await openDocuments()
    const [first, second] = [new Holder(documents, 'notes'), new Holder(documents, 'notes')]
    await first.leave()
    expect(documents.size).toBe(1)
    await second.leave()
    expect(documents.size).toBe(0)
  })

  test('stays until what was received is durable', async () => {
    const { documents, storage } = await openDocuments()
    const holder = new Holder(documents, 'notes')
    const document = await holder.document
    document.submit(textUpdate('kept'), null)
    await holder.leave()
    expect(documents.size).toBe(1)
    await emptied(documents)
    expect(textIn(docIn(await storage.load('notes'))).toString()).toBe('kept')
  })

  test('is compacted as it leaves, and who joins meanwhile keeps it', async () => {
    const { documents, storage } = await openDocuments({ compactMaxEntries: 1, compactIntervalMs: 0 })
    const first = new Holder(documents, 'notes')
    const document = await first.document
    document.submit(textUpdate('kept'), null)
    await first.leave()
    const second = new Holder(documents, 'notes')
    expect(await second.document).toBe(document)
    while (document.log.snapshotSeq === 0) await nextTurn()
    expect(documents.size).toBe(1)
    await second.leave()
    await emptied(documents)
    expect(await storage.load('notes')).toMatchObject({ head: 1, snapshot: { seq: 1 }, tail: [] })
  })

  test('is not compacted any more when the server closes: a hostile one would hold it up', async () => {
    const { documents, storage } = await openDocuments({ compactMaxEntries: 1, compactIntervalMs: 0 })
    const holder = new Holder(documents, 'notes')
    const document = await holder.document
    document.submit(textUpdate('kept'), null)
    while (document.head === 0) await nextTurn()
    await documents.close()
    expect(documents.size).toBe(0)
    expect(await storage.load('notes')).toMatchObject({ head: 1, snapshot: null })
  })

  test('leaves nothing behind where nobody wrote', async () => {
    const { documents, storage } = await openDocuments()
    for (let name = 0; name < 100; name++) await new Holder(documents, `${name}`).leave()
    expect(documents.size).toBe(0)
    expect(await storage.list('', undefined, 1)).toEqual([])
  })
})

describe('a long log', () => {
  const ENTRIES = isLong() ? 30_000 : 10_000
  const JOINERS = 6

  test('reads the same while it is compacted over and over, and after a restart', async () => {
    const data = await temporaryDirectory(release)
    const written = await storeTyping(data, ENTRIES)
    const flags = [
      '--compact-max-entries',
      '25',
      '--compact-interval-ms',
      '0',
      '--chunk-bytes',
      '16384',
      '--log-level',
      'debug',
    ]
    const first = await startServer({ release, flags, data })
    const { url } = first
    const writer = await syncedClient({ release, url, document: 'log' })
    expect(textIn(writer.doc).toString()).toBe(textIn(written).toString())

    const typist = new Typist('writer', writer.doc, new Random(1))
    const joiners: StockClient[] = []
    for (let joiner = 0; joiner < JOINERS; joiner++) {
      for (let edit = 0; edit < 50; edit++) {
        typist.type()
        await nextTurn()
      }
      joiners.push(await syncedClient({ release, url, document: 'log' }))
    }
    await allShow(joiners, writer.doc)

    await first.logs('compacted a document')
    await first.kill('SIGTERM')
    const second = await startServer({ release, data })
    const stored = await freshCopy({ release, url: second.url, document: 'log' })
    expect(contentOf(stored)).toEqual(contentOf(writer.doc))
    await second.kill('SIGTERM')
    const { snapshot, head } = await (await openStorage(data)).load('log')
    expect(snapshot?.seq).toBeGreaterThan(ENTRIES)
    expect(head).toBeGreaterThan(ENTRIES + JOINERS)
  })

  /** Stores as many entries as somebody pressed keys: letters, and each tenth time the one that takes the last back. */
  async function storeTyping(data: string, entries: number): Promise<Y.Doc> {
    const doc = new Y.Doc()
    const text = textIn(doc)
    const updates: Uint8Array[] = []
    doc.on('update', (update: Uint8Array) => updates.push(update))
    while (updates.length < entries) {
      if (updates.length % 10 === 9) text.delete(text.length - 1, 1)
      else text.insert(text.length, String.fromCharCode(97 + (updates.length % 26)))
    }
    const storage = await openStorage(data)
    await storage.append(updates.map((update) => ({ document: 'log', update, base: 0 })))
    await storage.close()
    return doc
  }
})

describe('snapshots that do not fit into memory', () => {
  test.for([0, 2_000])('are read back whenever they are needed: cache of %i bytes', async (snapshotCacheBytes) => {
    const options = {
      snapshotCacheBytes,
      compactMaxEntries: 10,
      compactMinBytes: 0,
      compactIntervalMs: 0,
      chunkBytes: 1024,
    }
    const { url, lines } = await startInProcess({ release, options })
    const names = ['a', 'b', 'c']
    const writers = await Promise.all(names.map((document) => syncedClient({ release, url, document })))
    const random = new Random(snapshotCacheBytes)
    const typists = writers.map(({ doc }, index) => new Typist(names[index], doc, random))
    const leavers: StockClient[] = []
    for (let round = 0; round < 5; round++) {
      for (let edit = 0; edit < 60; edit++) {
        for (const typist of typists) typist.type()
        await nextTurn()
      }
      // Who comes back needs what is between: neither the whole document nor only what follows the snapshot.
      for (const document of names) {
        const client = await syncedClient({ release, url, document })
        client.provider.disconnect()
        leavers.push(client)
      }
    }
    for (const { provider } of leavers) provider.connect()
    for (const [index, writer] of writers.entries()) {
      const others = leavers.filter((_, number) => number % names.length === index)
      const fresh = stockClient({ release, url, document: names[index] })
      await allShow([...others, fresh], writer.doc)
    }
    expect(lines.filter(({ level }) => level === 'error' || level === 'warn')).toEqual([])
  })
})

function contentOf(doc: Y.Doc): unknown {
  return { text: textIn(doc).toString(), elements: elementsIn(doc).toArray() }
}

async function allShow(clients: readonly StockClient[], truth: Y.Doc): Promise<void> {
  const docs = clients.map(({ doc }) => doc)
  const length = elementsIn(truth).length
  await untilChanged(docs, 'all have every edit', () => docs.every((doc) => elementsIn(doc).length === length))
  for (const doc of docs) expect(contentOf(doc)).toEqual(contentOf(truth))
}
