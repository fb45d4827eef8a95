import { describe, expect, test } from 'vitest'
import { goneError } from '../../server/src/common/errors.ts'
import { NO_METERS } from '../../server/src/common/meters.ts'
import { atOnce } from '../../server/src/common/turns.ts'
import { parseOptions } from '../../server/src/config/config.ts'
import { Cursor, type Reader } from '../../server/src/document/cursor.ts'
import { Document } from '../../server/src/document/document.ts'
import { DocumentLog } from '../../server/src/document/document-log.ts'
import { Edits } from '../../server/src/document/edits.ts'
import { LoopCost } from '../../server/src/document/loop-cost.ts'
import { NO_NEIGHBOURS } from '../../server/src/document/neighbours.ts'
import { PrivateBytes } from '../../server/src/document/private-bytes.ts'
import { type ReadingContext, readApart, readDifference, readSince } from '../../server/src/document/reading.ts'
import { LoadedSnapshot } from '../../server/src/document/snapshot.ts'
import { Snapshots } from '../../server/src/document/snapshots.ts'
import { splitSnapshot } from '../../server/src/protocol/update/update.ts'
import type { Snapshot } from '../../server/src/storage/document-store.ts'
import { docOf } from '../support/editing.ts'
import { Writer } from '../support/edits.ts'
import { Gate } from '../support/gate.ts'
import { recordingLog } from '../support/log.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { EMPTY_STATE } from '../support/messages.ts'

const CHUNK_BYTES = 1024
const DAMAGED = { code: 'STORAGE_DAMAGED' }

function snapshotOf(text: string, seq = 1): Snapshot {
  const chunks = splitSnapshot(new Writer(7).insert(text).update, CHUNK_BYTES)
  return { seq, chunks, stateVector: null, deleteSet: null }
}

function openDocument(name: string, stored: Snapshot): Document {
  const config = parseOptions({})
  const snapshot = new LoadedSnapshot(stored)
  const log = new DocumentLog({ head: snapshot.seq, tail: [] }, snapshot, CHUNK_BYTES)
  const clock = new ManualClock()
  const context = {
    config,
    clock,
    log: recordingLog().log,
    meters: NO_METERS,
    loopCost: new LoopCost(clock),
    cursorsOf: () => [],
    requestCommit: () => undefined,
    committed: () => undefined,
    changed: () => undefined,
    neighboursOf: () => NO_NEIGHBOURS,
  }
  const facts = { head: 1, tail: [], snapshot: stored, incarnation: 1 }
  return new Document(name, facts, log, new Edits(atOnce(log.decodeState(snapshot))), context)
}

/** Snapshots of documents whose stored ones are in `stored`; `loads` says which of those were read. */
class Library {
  readonly stored = new Map<string, Snapshot>()
  readonly loads: string[] = []
  readonly snapshots: Snapshots
  /** What a load waits for. */
  delay: Promise<void> | undefined

  constructor(maxBytes = Number.POSITIVE_INFINITY) {
    this.snapshots = new Snapshots(maxBytes, async (name) => {
      this.loads.push(name)
      const stored = this.stored.get(name) ?? null
      await this.delay
      return stored
    })
  }

  /** A document whose snapshot is on the disk, and in memory as far as there is space for it. */
  open(name: string, stored = snapshotOf(name)): Document {
    this.stored.set(name, stored)
    const document = openDocument(name, stored)
    this.snapshots.put(document, new LoadedSnapshot(stored))
    return document
  }

  /** What a compaction does when it is done. */
  async replace(document: Document, stored: Snapshot): Promise<void> {
    this.stored.set(document.name, stored)
    const snapshot = new LoadedSnapshot(stored)
    this.snapshots.put(document, snapshot)
    await document.replaceSnapshot(snapshot)
  }

  /** Uses a snapshot, and tells whether it had to be read for that. */
  async mustRead(document: Document): Promise<boolean> {
    const before = this.loads.length
    const hold = await this.snapshots.hold(document)
    hold.release()
    return this.loads.length > before
  }
}

const BYTES = new LoadedSnapshot(snapshotOf('a')).byteLength

describe('a snapshot', () => {
  test('is null where there is none, and nothing is read', async () => {
    const library = new Library()
    const document = openDocument('a', { ...snapshotOf(''), seq: 0 })
    expect((await library.snapshots.hold(document)).snapshot).toBeNull()
    expect(library.loads).toEqual([])
  })

  test('that is held is shared by who asks next, and read back once for all who ask at once', async () => {
    const library = new Library(0)
    const document = library.open('a')
    const holds = await Promise.all([library.snapshots.hold(document), library.snapshots.hold(document)])
    holds.push(await library.snapshots.hold(document))
    expect(new Set(holds.map(({ snapshot }) => snapshot))).toEqual(new Set([holds[0]?.snapshot]))
    expect(library.loads).toEqual(['a'])
    expect(library.snapshots.heldCount(document)).toBe(1)
  })

  test('is dropped past the limit when it was used longest ago', async () => {
    const library = new Library(2 * BYTES)
    const [a, b] = [library.open('a'), library.open('b')]
    expect(await library.mustRead(a)).toBe(false)
    library.open('c')
    expect(await library.mustRead(a)).toBe(false)
    expect(await library.mustRead(b)).toBe(true)
  })

  test('that is held is not dropped and pushes no other out, until it is released', async () => {
    const library = new Library(BYTES)
    const a = library.open('a')
    const hold = await library.snapshots.hold(a)
    const b = library.open('b')
    expect(await library.mustRead(a)).toBe(false)
    expect(await library.mustRead(b)).toBe(false)
    hold.release()
    expect(await library.mustRead(a)).toBe(false)
    expect(await library.mustRead(b)).toBe(true)
  })

  test('is released once by each who holds it, however often', async () => {
    const library = new Library()
    const document = library.open('a')
    const [first, second] = await Promise.all([library.snapshots.hold(document), library.snapshots.hold(document)])
    first.release()
    first.release()
    expect(library.snapshots.heldCount(document)).toBe(1)
    second.release()
    expect(library.snapshots.heldCount(document)).toBe(0)
    await library.snapshots.hold(document)
    second.release()
    expect(library.snapshots.heldCount(document)).toBe(1)
  })

  test('that was replaced counts while it is held, and is in nobody’s way afterwards', async () => {
    const library = new Library(BYTES)
    const document = library.open('a')
    const old = await library.snapshots.hold(document)
    await library.replace(document, snapshotOf('b'))
    const present = await library.snapshots.hold(document)
    expect(present.snapshot).not.toBe(old.snapshot)
    expect(library.snapshots.heldCount(document)).toBe(2)
    present.release()
    old.release()
    expect(library.snapshots.heldCount(document)).toBe(0)
    expect((await library.snapshots.hold(document)).snapshot).toBe(present.snapshot)
  })

  test('that is replaced while it is read back is read again', async () => {
    const library = new Library(0)
    const document = library.open('a')
    const isReplaced = new Gate()
    library.delay = isReplaced.opened
    const before = library.snapshots.hold(document)
    await library.replace(document, snapshotOf('b', 2))
    library.delay = undefined
    const { snapshot } = await library.snapshots.hold(document)
    expect(snapshot?.seq).toBe(2)
    isReplaced.open()
    expect((await before).snapshot).toBe(snapshot)
    expect(library.loads).toEqual(['a', 'a'])
  })

  test('that is lost is an error for all who ask', async () => {
    const library = new Library(0)
    const document = library.open('a')
    library.stored.delete('a')
    const [one, other] = [library.snapshots.hold(document), library.snapshots.hold(document)]
    await expect(one).rejects.toMatchObject(DAMAGED)
    await expect(other).rejects.toMatchObject(DAMAGED)
    expect(library.snapshots.heldCount(document)).toBe(0)
  })

  test('that goes with its document is no damage', async () => {
    const library = new Library(0)
    const document = library.open('a')
    library.stored.delete('a')
    const held = library.snapshots.hold(document)
    document.commitFailed(goneError('a'))
    await expect(held).rejects.toMatchObject({ code: 'GONE' })
  })

  test('that could not be read is read anew for the next one', async () => {
    const library = new Library(0)
    const document = library.open('a')
    library.delay = Promise.reject(new Error('the disk is away'))
    await expect(library.snapshots.hold(document)).rejects.toThrow('the disk is away')
    expect(library.snapshots.heldCount(document)).toBe(0)
    library.delay = undefined
    expect(await library.mustRead(document)).toBe(true)
  })

  test('of a document that leaves memory leaves it, too, be it held or on its way', async () => {
    const library = new Library(BYTES)
    const held = library.open('a')
    const hold = await library.snapshots.hold(held)
    const loading = library.open('b')
    const idle = library.open('c')
    library.snapshots.forget(idle)
    expect(await library.mustRead(idle)).toBe(true)
    const isForgotten = new Gate()
    library.delay = isForgotten.opened
    const loaded = library.snapshots.hold(loading)
    for (const document of [held, loading]) library.snapshots.forget(document)
    const other = library.open('d')
    isForgotten.open()
    for (const { release } of [hold, await loaded]) release()
    await library.replace(loading, snapshotOf('e', 2))
    expect(await library.mustRead(other)).toBe(false)
    for (const document of [held, loading]) expect(await library.mustRead(document)).toBe(true)
  })
})

/** Somebody who reads a document of so many bytes and some deletions, all of it in the snapshot. */
function readerOf(length: number, chunkBytes = CHUNK_BYTES) {
  const library = new Library(0)
  const writer = new Writer(7)
  const { stateVector: half } = writer.insert('x'.repeat(length / 2))
  const { stateVector: whole } = writer.insert('y'.repeat(length / 2))
  writer.delete(1, 1)
  const chunks = splitSnapshot(writer.everything, chunkBytes)
  const document = library.open('a', { seq: 1, chunks, stateVector: null, deleteSet: null })
  const privateBytes = new PrivateBytes(2 * length)
  const context: ReadingContext = {
    snapshots: library.snapshots,
    privateBytes,
    chunkBytes,
    diff: () => Promise.reject(new Error('there is no worker')),
  }
  const reader: Reader = {
    readSince: (document, position) => readSince(document, position, context),
    readApart: (document) => readApart(document, context),
    readDifference: (document, stateVector, position) => readDifference(document, stateVector, position, context),
  }
  const cursor = new Cursor(document, reader, {})
  return { library, document, cursor, privateBytes, half, whole, held: () => library.snapshots.heldCount(document) }
}

describe('a cursor', () => {
  test('holds the snapshot of which it has chunks until it has sent the last one', async () => {
    const { cursor, document, held } = readerOf(20_000)
    await cursor.read()
    const updates: Uint8Array[] = []
    for (let piece = cursor.next(); piece; piece = cursor.next()) {
      expect(held()).toBe(1)
      updates.push(piece.update)
    }
    expect(held()).toBe(0)
    expect(updates.length).toBeGreaterThan(8)
    expect(docOf(...updates).getText('text').length).toBe(19_999)
    expect(cursor.position).toBe(document.head)
  })

  test('that asks for more meanwhile holds the old one until it is sent, and the new one then', async () => {
    const { cursor, library, document, whole, held } = readerOf(500)
    await cursor.answer(EMPTY_STATE)
    expect(cursor.next()).toBeDefined()
    await cursor.answer(whole)
    expect(held()).toBe(1)
    await library.replace(document, snapshotOf('z'))
    await cursor.answer(EMPTY_STATE)
    expect(held()).toBe(2)
    expect(cursor.next()).toBeDefined()
    expect(held()).toBe(1)
    expect(cursor.next()).toBeUndefined()
    expect(held()).toBe(0)
  })

  test.for([
    ['what everybody lacks', ({ whole }) => whole],
    ['what it alone lacks', ({ half }) => half],
    ['a small document', () => EMPTY_STATE],
  ] as const satisfies [string, (states: { half: Uint8Array; whole: Uint8Array }) => Uint8Array][])(
    'holds nothing when it is sent %s',
    async ([, stateOf]) => {
      const { cursor, held, ...states } = readerOf(800, 256)
      await cursor.answer(stateOf(states))
      expect(held()).toBe(0)
      expect(cursor.next()).toBeDefined()
    },
  )

  test('that is stopped holds nothing, be it reading or sending', async () => {
    const { cursor, library, document, held } = readerOf(500)
    await cursor.answer(EMPTY_STATE)
    cursor.next()
    await library.replace(document, snapshotOf('z'))
    await cursor.answer(EMPTY_STATE)
    expect(held()).toBe(2)
    cursor.stop()
    expect(held()).toBe(0)

    const isStopped = new Gate()
    library.delay = isStopped.opened
    const read = cursor.read()
    cursor.stop()
    isStopped.open()
    await read
    expect(held()).toBe(0)
    expect(cursor.next()).toBeUndefined()
  })

  test('for which a search fails holds nothing', async () => {
    const { cursor, privateBytes, half, held } = readerOf(300_000)
    await expect(cursor.answer(half)).rejects.toThrow('there is no worker')
    expect(held()).toBe(0)
    expect(privateBytes.borrow(600_000)).toBe(true)
  })
})
