import fc from 'fast-check'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import type { Clock } from '../../server/src/common/timing.ts'
import type {
  Appended,
  LogEntry,
  LogPart,
  Snapshot,
  Storage,
  StoredDocument,
} from '../../server/src/storage/storage.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { runs } from '../support/runs.ts'
import type { Release } from '../support/temporary.ts'
import { type Operation, operations, StorageModel } from './storage-model.ts'

/** Where an implementation keeps its data. */
export interface StorageHost {
  /** Opens a storage on the data; the one before must be closed. The release closes it where the test did not. */
  open(): Promise<Storage>
}

export type NewStorageHost = (clock: Clock, release: Release) => Promise<StorageHost>

/** What the docstrings of storage.ts promise, of any implementation. */
export function storageConformance(name: string, newHost: NewStorageHost): void {
  describe(`${name} keeps the promises of a storage`, () => {
    let clock: ManualClock
    let host: StorageHost
    let storage: Storage

    beforeEach(async () => {
      clock = new ManualClock()
      host = await newHost(clock, onTestFinished)
      storage = await host.open()
    })

    /** By a writer that knows all that is in the log. */
    const append = async (document: string, ...updates: Uint8Array[]): Promise<readonly Appended[]> => {
      const { head, incarnation } = await storage.load(document)
      return storage.append(updates.map((update) => ({ document, update, base: head, incarnation })))
    }
    const reopen = async () => {
      await storage.close()
      storage = await host.open()
    }
    const namesWith = (prefix: string) => storage.list(prefix, undefined, 1000)

    describe('load', () => {
      test('an unknown name is an empty document, and nothing is written for it', async () => {
        const stored = await storage.load('new')
        expect(stored).toMatchObject({ head: 0, incarnation: 0, snapshot: null, tail: [] })
        expect(stored.earlierIncarnations ?? []).toEqual([])
        expect(stored.quarantined ?? []).toEqual([])
        expect(await storage.stat('new')).toBeUndefined()
        expect(await namesWith('')).toEqual([])
      })

      test('gives the entries with their bytes, however large or small', async () => {
        const updates = [random(0), random(1), random(60), random(70_000), random(3_000_000)]
        await append('doc', ...updates)
        const { head, tail } = await storage.load('doc')
        expect(head).toBe(5)
        expect(tail.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5])
        for (const [index, update] of updates.entries()) expect(Buffer.compare(tail[index].update, update)).toBe(0)
      })

      test('gives plain bytes, whose slice is a copy', async () => {
        await append('doc', bytes(1))
        await storage.compact('doc', snapshot(1, bytes(2)), 0)
        await append('doc', bytes(3))
        const { snapshot: stored, tail } = await storage.load('doc')
        expect(tail[0].update.constructor).toBe(Uint8Array)
        expect(stored?.chunks[0].constructor).toBe(Uint8Array)
      })
    })

    describe('append', () => {
      test('gives each document contiguous numbers from 1, in the order of the batch', async () => {
        const batch = ['a', 'b', 'a', 'a', 'c', 'b'].map((document, index) => ({
          document,
          update: bytes(index),
          base: 0,
        }))
        const appended = await storage.append(batch)
        expect(appended.map(({ seq }) => seq)).toEqual([1, 1, 2, 3, 1, 2])
        expect((await append('a', bytes(9)))[0].seq).toBe(4)
        expect((await storage.load('a')).tail.map(({ update }) => update)).toEqual([0, 2, 3, 9].map((n) => bytes(n)))
      })

      test('gives the incarnation that load gives', async () => {
        const [first] = await append('a', bytes(1))
        const [second] = await append('a', bytes(2))
        expect(first.incarnation).toBeGreaterThan(0)
        expect(second.incarnation).toBe(first.incarnation)
        expect((await storage.load('a')).incarnation).toBe(first.incarnation)
      })

      test('keeps the order of calls that do not wait for each other', async () => {
        const calls = Array.from({ length: 50 }, (_, index) => {
          const request = { document: 'a', update: bytes(index), base: 0 }
          return storage.append([request, request])
        })
        const numbers = (await Promise.all(calls)).flat().map(({ seq }) => seq)
        expect(numbers).toEqual(Array.from({ length: 100 }, (_, index) => index + 1))
        const { tail } = await storage.load('a')
        expect(tail.map(({ update }) => update[0])).toEqual(numbers.map((seq) => Math.floor((seq - 1) / 2)))
      })

      test('an empty batch is nothing', async () => {
        expect(await storage.append([])).toEqual([])
      })

      test('releasing what is not quarantined changes nothing', async () => {
        await storage.append([{ document: 'a', update: bytes(1), base: 0, releases: [1, 7] }])
        expect(await storage.load('a')).toMatchObject({ head: 1, tail: [{ seq: 1 }] })
      })

      test('what was resolved is there after reopening, and numbers go on', async () => {
        const [before] = await append('a', bytes(1), bytes(2))
        await reopen()
        const stored = await storage.load('a')
        expect(validIncarnations(stored)).toContain(before.incarnation)
        expect(stored).toMatchObject({ head: 2, snapshot: null })
        expect(stored.tail).toEqual([entry(1, 1), entry(2, 2)])
        expect(await append('a', bytes(3))).toEqual([{ seq: 3, incarnation: stored.incarnation, between: [] }])
      })
    })

    describe('append tells what was written since the base', () => {
      test('with the first entry of a document in a batch, in order', async () => {
        await append('a', bytes(1), bytes(2), bytes(3))
        await append('b', bytes(4))
        const requests = [
          { document: 'a', update: bytes(5), base: 1 },
          { document: 'b', update: bytes(6), base: 0 },
          { document: 'a', update: bytes(7), base: 1 },
        ]
        const appended = await storage.append(requests)
        expect(appended.map(({ seq }) => seq)).toEqual([4, 2, 5])
        expect(appended.map(({ between }) => between)).toEqual([[entry(2, 2), entry(3, 3)], [entry(1, 4)], []])
      })

      test('nothing where the writer knows all of it', async () => {
        await append('a', bytes(1))
        await storage.compact('a', snapshot(1, bytes(1)), 0)
        for (const base of [1, 2]) {
          const [{ between }] = await storage.append([{ document: 'a', update: bytes(base), base }])
          expect(between).toEqual([])
        }
      })

      test('at most 64 KiB, without a gap; the rest is read', async () => {
        const updates = [random(30_000), random(35_536), random(1), random(70_000)]
        await append('a', ...updates)
        const sinceBase = async (base: number) =>
          numbersOf((await storage.append([{ document: 'a', update: bytes(0), base }]))[0].between)
        expect(await sinceBase(0)).toEqual([1, 2])
        expect(await sinceBase(2)).toEqual([3])
        expect(await sinceBase(3)).toEqual([])
        expect(numbersOf((await storage.readAfter('a', 3))?.entries)).toEqual([4, 5, 6, 7])
      })

      test('nothing where a compaction has taken it in', async () => {
        await append('a', bytes(1), bytes(2), bytes(3))
        await storage.compact('a', snapshot(2, bytes(12)), 0)
        const appended = await storage.append([{ document: 'a', update: bytes(4), base: 1 }])
        expect(appended).toMatchObject([{ seq: 4, between: [] }])
        expect(await storage.readAfter('a', 1)).toBeNull()
      })

      test.each([
        ['above the head', 3, 0],
        ['of another incarnation', 2, 1],
      ])('a base %s is refused, and nothing of the batch is written', async (_, base, wrong) => {
        const [{ incarnation }] = await append('a', bytes(1), bytes(2))
        const appending = storage.append([
          { document: 'b', update: bytes(3), base: 0 },
          { document: 'a', update: bytes(4), base, incarnation: incarnation + wrong },
        ])
        await expect(appending).rejects.toMatchObject({ code: 'STORAGE_CONFLICT' })
        expect((await storage.load('a')).head).toBe(2)
        expect(await namesWith('')).toEqual(['a'])
        expect((await append('a', bytes(5)))[0].seq).toBe(3)
      })

      test('what has to be the first is refused where something was written, and nothing of the batch is written', async () => {
        await append('a', bytes(1))
        const batch = ['b', 'a'].map((document) => ({ document, update: bytes(2), base: 0, isFirst: true }))
        await expect(storage.append(batch)).rejects.toMatchObject({ code: 'STORAGE_CONFLICT' })
        expect(await namesWith('')).toEqual(['a'])
        const [first] = batch
        expect((await storage.append([first, first])).map(({ seq }) => seq)).toEqual([1, 2])
      })

      test('a base in a document that was removed is refused, unless it is 0: that update builds on nothing', async () => {
        const [{ incarnation }] = await append('a', bytes(1))
        await storage.remove('a')
        const request = { document: 'a', update: bytes(2), incarnation }
        await expect(storage.append([{ ...request, base: 1 }])).rejects.toMatchObject({ code: 'STORAGE_CONFLICT' })
        expect(await namesWith('')).toEqual([])
        expect(await storage.append([{ ...request, base: 0 }])).toMatchObject([{ seq: 1, between: [] }])
      })
    })

    describe('readAfter', () => {
      const read = async (after: number, maxBytes?: number) =>
        numbersOf((await storage.readAfter('a', after, maxBytes))?.entries)

      test('gives the entries after a number, and their incarnation', async () => {
        const [{ incarnation }] = await append('a', bytes(1), bytes(2), bytes(3))
        expect(await storage.readAfter('a', 1)).toEqual({ incarnation, entries: [entry(2, 2), entry(3, 3)] })
        expect(await storage.readAfter('a', 3)).toEqual({ incarnation, entries: [] })
        expect(await storage.readAfter('unknown', 0)).toEqual({ incarnation: 0, entries: [] })
      })

      test('stops where they have so many bytes together, but gives one', async () => {
        await append('a', random(10), random(10), random(100), random(1))
        expect(await read(0, 20)).toEqual([1, 2])
        expect(await read(0, 19)).toEqual([1])
        expect(await read(2, 20)).toEqual([3])
        expect(await read(2, 101)).toEqual([3, 4])
      })

      test('resolves null for numbers that the log does not have', async () => {
        await append('a', bytes(1), bytes(2), bytes(3))
        await storage.compact('a', snapshot(2, bytes(12)), 0)
        expect(await storage.readAfter('a', 1)).toBeNull()
        expect(await read(2)).toEqual([3])
        expect(await storage.readAfter('a', 4)).toBeNull()
        expect(await storage.readAfter('unknown', 1)).toBeNull()
      })
    })

    test('follow reports nothing that was appended through the same storage', async () => {
      await append('a', bytes(1))
      const reports: LogPart[] = []
      const unfollow = storage.follow('a', 0, (part) => reports.push(part))
      await append('a', bytes(2))
      await storage.load('a')
      unfollow()
      unfollow()
      await append('a', bytes(3))
      await storage.close()
      expect(reports).toEqual([])
    })

    test.each(['__proto__', 'constructor', '😀', 'ä/ö', ' ', '100%', 'x'.repeat(255)])(
      'a name is opaque: %j',
      async (name) => {
        await append(name, bytes(1))
        await append(`${name}2`, bytes(2))
        await storage.compact(name, snapshot(1, bytes(3)), 0)
        await reopen()
        expect(await storage.load(name)).toMatchObject({ head: 1, snapshot: { seq: 1, chunks: [bytes(3)] } })
        expect(await storage.stat(name)).toMatchObject({ head: 1, snapshotBytes: 1 })
        expect(await namesWith('')).toEqual([name, `${name}2`])
        await storage.remove(name)
        expect(await namesWith('')).toEqual([`${name}2`])
        expect((await storage.load(`${name}2`)).head).toBe(1)
      },
    )

    describe('compact', () => {
      test('replaces entries, then also the snapshot, and keeps later entries', async () => {
        await append('a', bytes(1), bytes(2), bytes(3))
        expect(await storage.compact('a', snapshot(2, bytes(12)), 0)).toBe(true)
        expect(await storage.load('a')).toMatchObject({
          head: 3,
          snapshot: snapshot(2, bytes(12)),
          tail: [{ seq: 3, update: bytes(3) }],
        })
        await append('a', bytes(4))
        expect(await storage.compact('a', snapshot(4, bytes(1, 2), bytes(3, 4)), 2)).toBe(true)
        await reopen()
        expect(await storage.load('a')).toMatchObject({
          head: 4,
          snapshot: snapshot(4, bytes(1, 2), bytes(3, 4)),
          tail: [],
        })
        expect((await append('a', bytes(5)))[0].seq).toBe(5)
      })

      test('keeps the incarnation: numbers stay valid', async () => {
        const [{ incarnation }] = await append('a', bytes(1))
        await storage.compact('a', snapshot(1, bytes(1)), 0)
        expect((await storage.load('a')).incarnation).toBe(incarnation)
        expect((await append('a', bytes(2)))[0].incarnation).toBe(incarnation)
      })

      test('can replace a snapshot by one of the same number', async () => {
        await append('a', bytes(1))
        await storage.compact('a', snapshot(1, bytes(1), bytes(2), bytes(3)), 0)
        expect(await storage.compact('a', snapshot(1, bytes(7)), 1)).toBe(true)
        expect((await storage.load('a')).snapshot).toEqual(snapshot(1, bytes(7)))
      })

      test('keeps null for what is not known of the content', async () => {
        await append('a', bytes(1))
        const unknown = { ...snapshot(1, bytes(1)), stateVector: null, deleteSet: null }
        await storage.compact('a', unknown, 0)
        expect((await storage.load('a')).snapshot).toEqual(unknown)
      })

      test('resolves false and changes nothing when somebody else compacted first', async () => {
        await append('a', bytes(1), bytes(2), bytes(3))
        await storage.compact('a', snapshot(2, bytes(12)), 0)
        const before = await storage.load('a')
        expect(await storage.compact('a', snapshot(3, bytes(13)), 0)).toBe(false)
        expect(await storage.compact('a', snapshot(3, bytes(13)), 1)).toBe(false)
        expect(await storage.load('a')).toEqual(before)
      })

      test('resolves false for numbers that the document does not have', async () => {
        await append('a', bytes(1))
        const before = await storage.load('a')
        expect(await storage.compact('a', snapshot(2, bytes(1)), 0)).toBe(false)
        expect(await storage.compact('unknown', snapshot(1, bytes(1)), 0)).toBe(false)
        expect(await storage.load('a')).toEqual(before)
        expect(await namesWith('')).toEqual(['a'])
      })

      test('resolves false for a snapshot of what was there before the document was made anew', async () => {
        const [{ incarnation }] = await append('a', bytes(1))
        expect(await storage.compact('a', snapshot(1, bytes(1)), 0, incarnation)).toBe(true)
        await storage.remove('a')
        const [anew] = await append('a', bytes(2))
        expect(await storage.compact('a', snapshot(1, bytes(1)), 0, incarnation)).toBe(false)
        expect(await storage.load('a')).toMatchObject({ head: 1, snapshot: null, tail: [entry(1, 2)] })
        expect(await storage.compact('a', snapshot(1, bytes(2)), 0, anew.incarnation)).toBe(true)
      })

      test('of two at a time one succeeds', async () => {
        await append('a', bytes(1), bytes(2))
        const results = await Promise.all([
          storage.compact('a', snapshot(1, bytes(1)), 0),
          storage.compact('a', snapshot(2, bytes(12)), 0),
        ])
        expect(results).toEqual([true, false])
        expect(await storage.load('a')).toMatchObject({ head: 2, snapshot: { seq: 1 }, tail: [{ seq: 2 }] })
      })

      test('loses nothing that is appended or loaded meanwhile', async () => {
        const ledger: number[] = []
        let replaces = 0
        for (let round = 0; round < 10; round++) {
          const head = (await storage.load('a')).head
          const chunks = Array.from({ length: 20 }, (_, index) => bytes(round, index))
          const compacting = head > 0 ? storage.compact('a', snapshot(head, ...chunks), replaces) : undefined
          const appending = Array.from({ length: 20 }, async () => {
            ledger.push((await storage.append([{ document: 'a', update: bytes(round), base: head }]))[0].seq)
          })
          const loaded = await storage.load('a')
          expect(loaded.tail.map(({ seq }) => seq)).toEqual(numbersAfter(loaded.snapshot?.seq ?? 0, loaded.head))
          await Promise.all(appending)
          if (await compacting) replaces = head
        }
        expect(ledger).toEqual(numbersAfter(0, 200))
        expect(replaces).toBe(180)
        expect((await storage.load('a')).tail.map(({ seq }) => seq)).toEqual(numbersAfter(180, 200))
      })
    })

    describe('stat', () => {
      test('gives times and sizes', async () => {
        const createdAt = clock.now()
        await append('a', bytes(1, 2, 3))
        clock.advance(1000)
        await append('a', bytes(4, 5), bytes(6))
        const facts = { createdAt, updatedAt: createdAt + 1000 }
        expect(await storage.stat('a')).toEqual({ ...facts, head: 3, snapshotBytes: 0, tailEntries: 3, tailBytes: 6 })
        clock.advance(1000)
        await storage.compact('a', snapshot(2, bytes(1, 2, 3), bytes(4)), 0)
        expect(await storage.stat('a')).toEqual({ ...facts, head: 3, snapshotBytes: 4, tailEntries: 1, tailBytes: 1 })
      })

      test('a compaction is no update', async () => {
        await append('a', bytes(1))
        const updatedAt = clock.now()
        clock.advance(1000)
        await storage.compact('a', snapshot(1, bytes(1)), 0)
        await reopen()
        expect(await storage.stat('a')).toMatchObject({ updatedAt, head: 1, tailEntries: 0, tailBytes: 0 })
      })
    })

    describe('list', () => {
      const names = ['', 'B', 'a', 'a/', 'a/1', 'a/2', 'ab', 'b', 'é', '～', '😀'] // UTF-16 would order the last two otherwise

      beforeEach(async () => {
        await storage.append(names.toReversed().map((document) => ({ document, update: bytes(1), base: 0 })))
      })

      test('gives all names in byte order', async () => {
        expect(await namesWith('')).toEqual(names)
      })

      test('gives those with the prefix, after the cursor, up to the limit', async () => {
        expect(await namesWith('a')).toEqual(['a', 'a/', 'a/1', 'a/2', 'ab'])
        expect(await namesWith('a/')).toEqual(['a/', 'a/1', 'a/2'])
        expect(await storage.list('a', 'a/1', 2)).toEqual(['a/2', 'ab'])
        expect(await storage.list('a', 'a/10', 1000)).toEqual(['a/2', 'ab'])
        expect(await storage.list('a', 'B', 1)).toEqual(['a'])
        expect(await storage.list('a', 'b', 1000)).toEqual([])
        expect(await storage.list('', '', 1)).toEqual(['B'])
        expect(await storage.list('x', undefined, 10)).toEqual([])
      })
    })

    describe('remove', () => {
      test('removes all that is stored of a document, and of no other', async () => {
        await append('a', bytes(1), bytes(2))
        await storage.compact('a', snapshot(1, bytes(1)), 0)
        await append('b', bytes(3))
        await storage.remove('a')
        expect(await storage.load('a')).toEqual(await storage.load('never written'))
        expect(await storage.stat('a')).toBeUndefined()
        expect(await namesWith('')).toEqual(['b'])
        expect((await storage.load('b')).tail).toEqual([{ seq: 1, update: bytes(3) }])
      })

      test('a document of the same name begins anew, as another incarnation', async () => {
        const [before] = await append('a', bytes(1), bytes(2))
        await storage.remove('a')
        const [after] = await append('a', bytes(3))
        expect(after.seq).toBe(1)
        expect(after.incarnation).not.toBe(before.incarnation)
        await reopen()
        expect((await storage.load('a')).tail).toEqual([{ seq: 1, update: bytes(3) }])
      })

      test('an unknown name is fine', async () => {
        await expect(storage.remove('unknown')).resolves.toBeUndefined()
      })
    })

    describe('revocations', () => {
      const [ada, eve] = ['ada 😀', 'eve'].map((target, index) => ({ target, time: 1_700_000_000_000.25 + index }))
      const everything = { target: null, time: 1_600_000_000_000 }

      test('there are none at first', async () => {
        expect(await storage.loadRevocations()).toEqual([])
      })

      test('are there after reopening, the oldest first', async () => {
        await storage.storeRevocations([eve], [])
        await storage.storeRevocations([ada, everything], [])
        await reopen()
        expect(await storage.loadRevocations()).toEqual([everything, ada, eve])
      })

      test('replace those of the same target, and are forgotten by name', async () => {
        await storage.storeRevocations([ada, eve], [])
        const [again, all] = [ada.target, null].map((target, index) => ({ target, time: eve.time + 1 + index }))
        await Promise.all([
          storage.storeRevocations([again], []),
          storage.storeRevocations([all], [eve.target, 'nobody']),
        ])
        expect(await storage.loadRevocations()).toEqual([again, all])
      })

      test('are no documents, and documents are no revocations', async () => {
        await storage.storeRevocations([ada, everything], [])
        expect(await namesWith('')).toEqual([])
        await append(ada.target, bytes(1))
        await storage.remove(ada.target)
        await append('later', bytes(2))
        expect(await storage.loadRevocations()).toEqual([everything, ada])
      })
    })

    describe('close', () => {
      test('settles what is under way', async () => {
        const appending = ['a', 'a', 'b'].map((document) => storage.append([{ document, update: bytes(1), base: 0 }]))
        await storage.close()
        storage = await host.open()
        expect((await storage.load('a')).head).toBe(2)
        expect((await Promise.all(appending)).flat().map(({ seq }) => seq)).toEqual([1, 2, 1])
      })

      test('then everything rejects with STORAGE_CLOSED, and closing again is fine', async () => {
        await append('a', bytes(1))
        await storage.close()
        const closed = { code: 'STORAGE_CLOSED' }
        await expect(append('a', bytes(2))).rejects.toMatchObject(closed)
        await expect(storage.append([])).rejects.toMatchObject(closed)
        await expect(storage.load('a')).rejects.toMatchObject(closed)
        await expect(storage.readAfter('a', 0)).rejects.toMatchObject(closed)
        await expect(storage.compact('a', snapshot(1, bytes(1)), 0)).rejects.toMatchObject(closed)
        await expect(storage.stat('a')).rejects.toMatchObject(closed)
        await expect(storage.list('', undefined, 1)).rejects.toMatchObject(closed)
        await expect(storage.remove('a')).rejects.toMatchObject(closed)
        await expect(storage.loadRevocations()).rejects.toMatchObject(closed)
        await expect(storage.storeRevocations([], [])).rejects.toMatchObject(closed)
        await storage.close()
      })
    })

    test('is ok where writes succeed', async () => {
      await append('a', bytes(1))
      expect(storage.status).toEqual({ state: 'ok' })
    })

    test('does what a model of it does, whatever the sequence', async () => {
      await fc.assert(
        fc.asyncProperty(operations, async (sequence) => {
          const released: (() => Promise<void>)[] = []
          const subject = await newHost(clock, (undo) => released.push(undo))
          const model = new StorageModel(subject, await subject.open())
          try {
            for (const operation of sequence) await model.run(operation)
            await model.run({ type: 'reopen' } satisfies Operation)
            await model.compare()
          } finally {
            for (const undo of released.reverse()) await undo()
          }
        }),
        { numRuns: runs(40) },
      )
    })
  })
}

function bytes(...values: number[]): Uint8Array {
  return Uint8Array.from(values)
}

/** Bytes that repeat nowhere soon. */
function random(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => Math.imul(index, 2_654_435_761) >>> 24)
}

function snapshot(seq: number, ...chunks: Uint8Array[]): Snapshot {
  return { seq, chunks, stateVector: bytes(1, 2, 3), deleteSet: bytes(0) }
}

function entry(seq: number, ...values: number[]): LogEntry {
  return { seq, update: bytes(...values) }
}

function numbersOf(entries: readonly LogEntry[] | undefined): number[] | undefined {
  return entries?.map(({ seq }) => seq)
}

function validIncarnations({ incarnation, earlierIncarnations = [] }: StoredDocument): number[] {
  return [incarnation, ...earlierIncarnations]
}

function numbersAfter(after: number, last: number): number[] {
  return Array.from({ length: last - after }, (_, index) => after + 1 + index)
}
