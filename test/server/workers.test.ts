import { setImmediate as nextTurn } from 'node:timers/promises'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { WorkerPool, type WorkerPoolOptions } from '../../server/src/workers/pool.ts'
import { bytes } from '../support/bytes.ts'
import { contentOf, declareTypes, docOf, Editor, isPending } from '../support/editing.ts'
import { edit } from '../support/edits.ts'
import { recordingLog } from '../support/log.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { deeplyNested } from '../support/nested.ts'
import { Random } from '../support/random.ts'
import { runs } from '../support/runs.ts'

const MANY_EDITS = 400

function newPool(options: Partial<WorkerPoolOptions> = {}) {
  const { log, lines } = recordingLog()
  const pool = new WorkerPool({ log, ...options })
  onTestFinished(() => pool.close())
  return { pool, lines }
}

/** A document and its log: what it became by so many edits, one update each. */
function editedDocument(edits: number, seed: number): { doc: Y.Doc; log: Uint8Array[] } {
  const doc = new Y.Doc({ gc: false })
  const log: Uint8Array[] = []
  doc.on('update', (update: Uint8Array) => log.push(update))
  const editor = new Editor(doc, new Random(seed))
  for (let edit = 0; edit < edits; edit++) editor.edit()
  return { doc, log }
}

function sizeOf(updates: readonly Uint8Array[]): number {
  return updates.reduce((sum, { length }) => sum + length, 0)
}

/** The document of the chunks; fails if one of them needs a later one. */
function docOfChunks(chunks: readonly Uint8Array[]): Y.Doc {
  const doc = declareTypes(new Y.Doc())
  for (const chunk of chunks) {
    Y.applyUpdate(doc, chunk)
    expect(isPending(doc)).toBe(false)
  }
  return doc
}

describe('with one pool', () => {
  let pool: WorkerPool

  beforeAll(() => {
    pool = new WorkerPool({ log: recordingLog().log })
  })
  afterAll(() => pool.close())

  test('a compaction is the document, in chunks of which every prefix is complete, and says what they contain', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.nat(MANY_EDITS), fc.integer({ min: 64, max: 4096 }), async (seed, edits, size) => {
        const { doc, log } = editedDocument(1 + edits, seed)
        const half = Math.floor(log.length / 2)
        const first = await pool.compact({ chunks: [], tail: log.slice(0, half), maxChunkBytes: size })
        const { chunks, stateVector, deleteSet } = await pool.compact({
          chunks: first.chunks,
          tail: log.slice(half),
          maxChunkBytes: size,
        })
        docOfChunks(chunks)
        // In one transaction, as a joining client gets them: in several, a document deletes formatting itself.
        expect(contentOf(docOf(Y.mergeUpdates([...chunks])))).toEqual(contentOf(doc))
        expect(Y.decodeStateVector(stateVector)).toEqual(Y.decodeStateVector(Y.encodeStateVector(doc)))
        // So these are compared with the chunks.
        expect(deletesIn(Buffer.concat([bytes(0), deleteSet]))).toEqual(deletesIn(Y.mergeUpdates([...chunks])))
        // Who follows the raw log and then gets the chunks, or the other way round, ends up the same.
        const follower = docOf(...log)
        for (const chunk of chunks) Y.applyUpdate(follower, chunk)
        expect(contentOf(follower)).toEqual(contentOf(doc))
        expect(isPending(follower)).toBe(false)
      }),
      {
        numRuns: runs(30),
        examples: [
          [8, 391, 64],
          [97512080, 104, 64],
        ],
      },
    )
  })

  test('a compaction frees deleted content', async () => {
    const doc = new Y.Doc({ gc: false })
    const text = doc.getText()
    for (let round = 0; round < 50; round++) {
      text.insert(0, 'gone '.repeat(100))
      text.delete(0, text.length)
    }
    text.insert(0, 'here')
    const update = Y.encodeStateAsUpdate(doc)
    const { chunks } = await pool.compact({ chunks: [], tail: [update] })
    expect(docOfChunks(chunks).getText().toString()).toBe('here')
    expect(update.length).toBeGreaterThan(20_000)
    expect(sizeOf(chunks)).toBeLessThan(1_000)
  })

  test('what goes in stays in use, though it is a part of a larger buffer', async () => {
    const { doc, log } = editedDocument(20, 1)
    const { buffer } = Uint8Array.from(Buffer.concat([Buffer.from('before'), ...log, Buffer.from('after')]))
    let offset = 'before'.length
    const parts = log.map(({ length }) => {
      offset += length
      return new Uint8Array(buffer, offset - length, length)
    })
    await pool.compact({ chunks: [], tail: parts })
    await pool.diff({ chunks: parts, stateVector: bytes(0) })
    await pool.split({ update: parts[0], maxBytes: 1000 })
    expect(parts.map((part) => Buffer.from(part))).toEqual(log.map((update) => Buffer.from(update)))
    expect(contentOf(docOf(...parts))).toEqual(contentOf(doc))
  })

  test('a split gives pieces of which every prefix is complete', async () => {
    const doc = new Y.Doc()
    const text = doc.getText('text')
    for (let index = 0; index < 200; index++) text.insert(index % 7, `${index} `)
    text.delete(20, 100)
    const pieces = await pool.split({ update: Y.encodeStateAsUpdate(doc), maxBytes: 250 })
    expect(pieces.length).toBeGreaterThan(5)
    expect(docOfChunks(pieces).getText('text').toString()).toBe(text.toString())
  })

  test('a diff gives what the reader lacks', async () => {
    const { doc, log } = editedDocument(MANY_EDITS, 3)
    const { chunks } = await pool.compact({ chunks: [], tail: log, maxChunkBytes: 1000 })
    const reader = docOf(...log.slice(0, 250))
    const missing = await pool.diff({ chunks, stateVector: Y.encodeStateVector(reader) })
    for (const update of missing) Y.applyUpdate(reader, update)
    expect(contentOf(reader)).toEqual(contentOf(doc))
    expect(sizeOf(missing)).toBeLessThan(sizeOf(chunks))
  })

  test('what waits for its turn is not copied before it comes', async () => {
    const { update } = edit('x'.repeat(1_000_000))
    const before = process.memoryUsage().arrayBuffers
    const request = { chunks: [update], stateVector: bytes(0) }
    const waiting = Promise.all(Array.from({ length: 50 }, () => pool.diff(request).then(sizeOf)))
    await nextTurn()
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(5 * update.length)
    expect(new Set(await waiting).size).toBe(1)
  })

  test('a diff is nothing to a reader who lacks nothing', async () => {
    const undeleted = new Y.Doc()
    undeleted.getMap('map').set('key', 'value')
    const chunks = [Y.encodeStateAsUpdate(undeleted)]
    expect(await pool.diff({ chunks, stateVector: Y.encodeStateVector(undeleted) })).toEqual([])
  })

  test('an error keeps its class and code on its way out of the thread', async () => {
    const malformed = { name: 'CoeditError', code: 'UPDATE_MALFORMED', message: expect.stringContaining('byte') }
    const update = bytes(5, 5, 5)
    await expect(pool.split({ update, maxBytes: 1000 })).rejects.toMatchObject(malformed)
    await expect(pool.compact({ chunks: [], tail: [update] })).rejects.toMatchObject(malformed)
    const diff = pool.diff({ chunks: [], stateVector: bytes(9) })
    await expect(diff).rejects.toMatchObject({ name: 'CoeditError', code: 'MESSAGE_MALFORMED' })
  })

  test('a log with a hole is not compacted: the result would be less than what went in', async () => {
    const { log } = editedDocument(10, 4)
    const doc = new Y.Doc()
    const updates: Uint8Array[] = []
    doc.on('update', (update: Uint8Array) => updates.push(update))
    doc.getArray().push(['a'])
    doc.getArray().push(['b'])
    await expect(pool.compact({ chunks: [], tail: [updates[1], ...log] })).rejects.toThrow(/expected 0/)
  })

  test('a reader does not wait for a compaction', async () => {
    const order: string[] = []
    const slow = pool.compact({ chunks: [], tail: [deeplyNested(60_000)] }).then(() => order.push('compaction'))
    await pool.split({ update: bytes(0, 0), maxBytes: 1000 }).then(() => order.push('split'))
    await slow
    expect(order).toEqual(['split', 'compaction'])
  })
})

describe('where Yjs does not manage, the result is a copy, and the log says why', () => {
  test('it exceeds the stack', async () => {
    const { pool, lines } = newPool()
    const update = deeplyNested(300_000)
    const { chunks } = await pool.compact({ chunks: [], tail: [update] })
    expect(sizeOf(chunks)).toBeGreaterThanOrEqual(update.length)
    expect(lines).toMatchObject([{ level: 'warn', facts: { err: { message: expect.stringMatching(/call stack/) } } }])
  })

  test('it exceeds the heap, which ends the thread and not the process', async () => {
    const { pool, lines } = newPool({ maxHeapMiB: 32 })
    const { chunks } = await pool.compact({ chunks: [], tail: [deeplyNested(90_000)] })
    expect(sizeOf(chunks)).toBeGreaterThan(500_000)
    expect(lines).toMatchObject([{ level: 'warn', facts: { err: { code: 'ERR_WORKER_OUT_OF_MEMORY' } } }])
    expect(await pool.compact({ chunks: [], tail: [bytes(0, 0)] })).toMatchObject({ chunks: [bytes(0, 0)] })
  })

  test('it takes too long', async () => {
    const clock = new ManualClock()
    const { pool, lines } = newPool({ clock })
    const { doc, log } = editedDocument(MANY_EDITS, 5)
    const compacting = pool.compact({ chunks: [], tail: log })
    await clock.hasTimers()
    clock.advance(60_000)
    const { chunks } = await compacting
    expect(contentOf(docOfChunks(chunks))).toEqual(contentOf(doc))
    expect(lines).toMatchObject([{ level: 'warn' }])
    expect(clock.pending).toEqual([])
  })
})

describe('close', () => {
  test('ends the threads, and rejects what is under way or waits with SERVER_CLOSED', async () => {
    const { pool, lines } = newPool()
    const { log } = editedDocument(MANY_EDITS, 6)
    await pool.split({ update: bytes(0, 0), maxBytes: 1000 })
    expect(pool.threads).toBe(1)
    const jobs = [
      pool.compact({ chunks: [], tail: [deeplyNested(60_000)] }),
      pool.compact({ chunks: [], tail: log }),
      pool.diff({ chunks: log, stateVector: bytes(0) }),
    ]
    const outcomes = Promise.allSettled(jobs)
    await pool.close()
    const rejected = { status: 'rejected', reason: { code: 'SERVER_CLOSED' } }
    expect(await outcomes).toMatchObject([rejected, rejected, rejected])
    await expect(pool.split({ update: bytes(0, 0), maxBytes: 1 })).rejects.toMatchObject({ code: 'SERVER_CLOSED' })
    expect(pool.threads).toBe(0)
    expect(lines).toEqual([])
    await pool.close()
  })

  test('is fine when nothing ever ran', async () => {
    const { pool } = newPool()
    expect(pool.threads).toBe(0)
    await pool.close()
  })
})

function deletesIn(update: Uint8Array): unknown {
  const { ds } = Y.decodeUpdate(update)
  const ranges = [...ds.clients].map(([client, deletes]) => [client, deletes.map(({ clock, len }) => [clock, len])])
  return ranges.sort(([a], [b]) => Number(a) - Number(b))
}
