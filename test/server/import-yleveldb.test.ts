import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as encoding from 'lib0/encoding'
import { describe, expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import type { LogEntry } from '../../server/src/storage/document-store.ts'
import { databaseOf } from '../support/database.ts'
import { docOf } from '../support/editing.ts'
import { Writer } from '../support/edits.ts'
import { deeplyNested } from '../support/nested.ts'
import { runCoedit, startServer } from '../support/process.ts'
import { RawLevel } from '../support/raw-level.ts'
import { allRead, freshCopy, type StockClient, syncedClient, textOf } from '../support/stock-clients.ts'
import { startPersistentStockServer } from '../support/stock-server.ts'
import { storedDocument } from '../support/stored-document.ts'
import { temporaryDirectory } from '../support/temporary.ts'

const release = onTestFinished

function runImport(source: string, data: string, ...flags: string[]) {
  return runCoedit(release, ['import-yleveldb', source, '--data', data, '--log-level', 'silent', ...flags])
}

/** The bytes of all files in a directory, by name. */
async function contentsOf(directory: string): Promise<Record<string, Buffer>> {
  const names = (await readdir(directory)).sort()
  return Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await readFile(join(directory, name))] as const)),
  )
}

describe('coedit import-yleveldb of what the y-websocket server wrote', () => {
  const NAMES = ['notes', 'my doc', 'a/ü 100%']

  async function allEntries(data: string): Promise<(readonly LogEntry[])[]> {
    const entries: (readonly LogEntry[])[] = []
    for (const name of NAMES) entries.push((await storedDocument(data, name)).tail)
    return entries
  }

  /** Writes at the end, and resolves when the server has it. */
  async function write(writer: StockClient, reader: StockClient, text: string): Promise<void> {
    textOf(writer).insert(textOf(writer).length, text)
    await allRead([reader], textOf(writer).toString())
  }

  test('takes over every document while that server runs, later only what is new, and then nothing', async () => {
    const source = await temporaryDirectory(release)
    const data = join(await temporaryDirectory(release), 'data')
    const stock = await startPersistentStockServer(release, source)
    const connect = (document: string) => syncedClient({ release, url: stock.url, document, version: '2.1.0' })
    const pairs = await Promise.all(NAMES.map((name) => Promise.all([connect(name), connect(name)])))
    for (const pair of pairs) await write(...pair, 'First. ')
    expect((await runImport(source, data)).code).toBe(0)
    for (const pair of pairs) await write(...pair, 'Second. ')
    await stock.stop()

    const second = await runImport(source, data)
    expect(second).toMatchObject({ code: 0, stderr: '' })
    for (const name of NAMES) expect(second.stdout).toMatch(new RegExp(`^'${name}': \\d+ updates?, imported$`, 'm'))
    expect(second.stdout).toMatch(/^3 documents with \d+ updates found, 3 documents changed$/m)

    const before = await allEntries(data)
    const files = await contentsOf(source)
    const third = await runImport(source, data)
    expect(third).toMatchObject({ code: 0, stderr: '' })
    expect(third.stdout).toMatch(/, 0 documents changed\n$/)
    expect(await contentsOf(source)).toEqual(files)
    expect(await allEntries(data)).toEqual(before)

    const server = await startServer({ release, data })
    for (const document of NAMES) {
      const doc = await freshCopy({ release, url: server.url, document })
      expect(textOf({ doc }).toString()).toBe('First. Second. ')
    }
    expect(await readdir(join(data, '..'))).toEqual(['data'])
  })
})

/** Writes a directory as y-leveldb does: the updates of each document under ascending numbers. */
async function yLeveldbOf(documents: Readonly<Record<string, readonly Uint8Array[]>>): Promise<string> {
  const directory = await temporaryDirectory(release)
  await addTo(directory, documents, 0)
  return directory
}

function addTo(directory: string, documents: Readonly<Record<string, readonly Uint8Array[]>>, first: number) {
  return RawLevel.use(directory, async (raw) => {
    for (const [name, updates] of Object.entries(documents)) {
      await raw.put(keyOf('v1_sv', name), Uint8Array.of(0, 1, 0))
      await raw.put(keyOf('v1', name, 'meta', 'owner'), encodeAny('somebody'))
      for (const [index, update] of updates.entries()) await raw.put(keyOf('v1', name, 'update', first + index), update)
    }
  })
}

function keyOf(...parts: (string | number)[]): Uint8Array {
  return encoding.encode((encoder) => {
    for (const part of parts) {
      encoding.writeUint8(encoder, typeof part === 'string' ? 0 : 1)
      if (typeof part === 'string') encoding.writeVarString(encoder, part)
      else encoding.writeUint32BigEndian(encoder, part)
    }
  })
}

function encodeAny(value: string): Uint8Array {
  return encoding.encode((encoder) => encoding.writeAny(encoder, value))
}

describe('coedit import-yleveldb', () => {
  test('leaves out what is behind a hole and says so, until the hole is filled', async () => {
    const writer = new Writer()
    const [one, two, three] = ['one ', 'two ', 'three'].map((text) => writer.insert(text).update)
    const source = await yLeveldbOf({ holed: [one, three], whole: [one, Y.encodeStateAsUpdate(new Y.Doc()), two] })
    const data = await temporaryDirectory(release)
    const first = await runImport(source, data)
    expect(first).toMatchObject({
      code: 1,
      stderr: 'coedit: 1 document could not be imported whole. (IMPORT_INCOMPLETE)\n',
      stdout:
        "'holed': 2 updates, imported, 1 left out behind a hole\n'whole': 3 updates, imported\n" +
        '2 documents with 5 updates found, 2 documents changed\n',
    })
    expect(textOf({ doc: await docIn(data, 'holed') }).toString()).toBe('one ')

    await addTo(source, { holed: [two] }, 2)
    const second = await runImport(source, data)
    expect(second.stdout).toMatch(/^'holed': 3 updates, imported$/m)
    expect(second.code).toBe(0)
    expect(textOf({ doc: await docIn(data, 'holed') }).toString()).toBe('one two three')
  })

  test('leaves out what is no update, and documents with a name that no room can have', async () => {
    const { update } = new Writer().insert('text')
    const source = await yLeveldbOf({ broken: [Uint8Array.of(1, 2, 3), update], 'a/../b': [update], long: [update] })
    const exit = await runImport(source, await temporaryDirectory(release), '--max-name-bytes', '6')
    expect(exit.code).toBe(1)
    expect(exit.stdout.split('\n')).toEqual([
      "'long': 1 update, imported",
      "'a/../b': 1 update, left out: the document name holds a dot segment",
      "'broken': 2 updates, imported, 1 malformed",
      '3 documents with 4 updates found, 2 documents changed',
      '',
    ])
  })

  test('adds to a document that exists, under the name that its URL stands for', async () => {
    const data = await databaseOf(release, { 'my doc': [new Writer(1).insert('a').update] })
    const source = await yLeveldbOf({
      'my%20doc': [new Writer(2).insert('b').update],
      'my doc': [new Writer(3).insert('c').update],
    })
    expect((await runImport(source, data)).code).toBe(0)
    expect(textOf({ doc: await docIn(data, 'my doc') }).toString()).toBe('abc')
  })

  test('cuts a large document into entries that are sent one by one', async () => {
    const source = await yLeveldbOf({ large: [new Writer().insert('x'.repeat(10_000)).update] })
    const data = await temporaryDirectory(release)
    expect((await runImport(source, data, '--chunk-bytes', '1024')).code).toBe(0)
    const { tail } = await storedDocument(data, 'large')
    expect(tail.length).toBeGreaterThan(9)
    expect(Math.max(...tail.map(({ update }) => update.length))).toBeLessThanOrEqual(1024)
    expect(textOf({ doc: await docIn(data, 'large') }).length).toBe(10_000)
  })

  test('makes all line ends of texts one character with --normalize-line-ends, and says how many', async () => {
    const writer = new Writer()
    const [first, second] = [writer.insert('one\r\ntwo\r'), writer.insert('three\r\n')].map(({ update }) => update)
    const source = await yLeveldbOf({ windows: [first, second], unix: [new Writer().insert('one\ntwo\n').update] })
    const data = await temporaryDirectory(release)
    expect((await runImport(source, data)).stdout).toMatch(/^'windows': 2 updates, imported$/m)
    expect(textOf({ doc: await docIn(data, 'windows') }).toString()).toBe('one\r\ntwo\rthree\r\n')

    const normalizing = await runImport(source, data, '--normalize-line-ends', '--chunk-bytes', '1024')
    expect(normalizing).toMatchObject({ code: 0, stderr: '' })
    expect(normalizing.stdout.split('\n')).toEqual([
      "'unix': 1 update, nothing new",
      "'windows': 2 updates, nothing new, 3 line ends normalized",
      '2 documents with 3 updates found, 1 document changed',
      '',
    ])
    expect(textOf({ doc: await docIn(data, 'windows') }).toString()).toBe('one\ntwo\nthree\n')

    // What others do to the same text afterwards lands where they meant it, and is normalized as well.
    await addTo(source, { windows: [writer.insert('four\r\n').update] }, 2)
    const again = await runImport(source, data, '--normalize-line-ends')
    expect(again.stdout).toMatch(/^'windows': 3 updates, imported, 1 line end normalized$/m)
    expect(textOf({ doc: await docIn(data, 'windows') }).toString()).toBe('one\ntwo\nthree\nfour\n')
    expect((await runImport(source, data, '--normalize-line-ends')).stdout).toMatch(/, 0 documents changed\n$/)
  })

  test('keeps the line ends of a document that Yjs cannot read, imports the others, and says so', async () => {
    const windows = new Writer().insert('one\r\n').update
    const source = await yLeveldbOf({ hostile: [deeplyNested(20_000)], windows: [windows] })
    const exit = await runImport(source, await temporaryDirectory(release), '--normalize-line-ends')
    expect(exit).toMatchObject({
      code: 1,
      stderr: 'coedit: 1 document could not be imported whole. (IMPORT_INCOMPLETE)\n',
    })
    expect(exit.stdout.split('\n')).toEqual([
      "'hostile': 1 update, imported, holds deleted content, line ends kept, for Yjs cannot read it",
      "'windows': 1 update, imported, 1 line end normalized",
      '2 documents with 2 updates found, 2 documents changed',
      '',
    ])
  })

  test('finds no document in a database of another kind', async () => {
    const source = await databaseOf(release, { notes: [new Writer().insert('text').update] })
    const { stdout } = await runImport(source, await temporaryDirectory(release))
    expect(stdout).toBe('0 documents with 0 updates found, 0 documents changed\n')
  })
})

async function docIn(data: string, name: string): Promise<Y.Doc> {
  const { tail } = await storedDocument(data, name)
  return docOf(...tail.map(({ update }) => update))
}
