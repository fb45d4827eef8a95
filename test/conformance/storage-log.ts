import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import type { LogPart } from '../../server/src/storage/document-store.ts'
import {
  bytes,
  entry,
  type NewStorageHost,
  numbersAfter,
  numbersOf,
  random,
  StorageScene,
  snapshot,
  validIncarnations,
} from './storage-scene.ts'

/** What DocumentStore promises of the log of a document. */
export function documentStoreConformance(newHost: NewStorageHost): void {
  describe('as a DocumentStore', () => {
    let scene: StorageScene

    beforeEach(async () => {
      scene = await StorageScene.open(newHost, onTestFinished)
    })

    describe('load', () => {
      test('an unknown name is an empty document, and nothing is written for it', async () => {
        const stored = await scene.storage.load('new')
        expect(stored).toMatchObject({ head: 0, incarnation: 0, snapshot: null, tail: [] })
        expect(stored.earlierIncarnations ?? []).toEqual([])
        expect(stored.quarantined ?? []).toEqual([])
        expect(await scene.storage.stat('new')).toBeUndefined()
        expect(await scene.namesWith('')).toEqual([])
      })

      test('gives the entries with their bytes, however large or small', async () => {
        const updates = [random(0), random(1), random(60), random(70_000), random(3_000_000)]
        await scene.append('doc', ...updates)
        const { head, tail } = await scene.storage.load('doc')
        expect(head).toBe(5)
        expect(tail.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5])
        for (const [index, update] of updates.entries()) expect(Buffer.compare(tail[index].update, update)).toBe(0)
      })

      test('gives plain bytes, whose slice is a copy', async () => {
        await scene.append('doc', bytes(1))
        await scene.storage.compact('doc', { snapshot: snapshot(1, bytes(2)), replaces: 0 })
        await scene.append('doc', bytes(3))
        const { snapshot: stored, tail } = await scene.storage.load('doc')
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
        const appended = await scene.storage.append(batch)
        expect(appended.map(({ seq }) => seq)).toEqual([1, 1, 2, 3, 1, 2])
        expect((await scene.append('a', bytes(9)))[0].seq).toBe(4)
        expect((await scene.storage.load('a')).tail.map(({ update }) => update)).toEqual(
          [0, 2, 3, 9].map((n) => bytes(n)),
        )
      })

      test('gives the incarnation that load gives', async () => {
        const [first] = await scene.append('a', bytes(1))
        const [second] = await scene.append('a', bytes(2))
        expect(first.incarnation).toBeGreaterThan(0)
        expect(second.incarnation).toBe(first.incarnation)
        expect((await scene.storage.load('a')).incarnation).toBe(first.incarnation)
      })

      test('keeps the order of calls that do not wait for each other', async () => {
        const calls = Array.from({ length: 50 }, (_, index) => {
          const request = { document: 'a', update: bytes(index), base: 0 }
          return scene.storage.append([request, request])
        })
        const numbers = (await Promise.all(calls)).flat().map(({ seq }) => seq)
        expect(numbers).toEqual(Array.from({ length: 100 }, (_, index) => index + 1))
        const { tail } = await scene.storage.load('a')
        expect(tail.map(({ update }) => update[0])).toEqual(numbers.map((seq) => Math.floor((seq - 1) / 2)))
      })

      test('an empty batch is nothing', async () => {
        expect(await scene.storage.append([])).toEqual([])
      })

      test('releasing what is not quarantined changes nothing', async () => {
        await scene.storage.append([{ document: 'a', update: bytes(1), base: 0, releases: [1, 7] }])
        expect(await scene.storage.load('a')).toMatchObject({ head: 1, tail: [{ seq: 1 }] })
      })

      test('what was resolved is there after reopening, and numbers go on', async () => {
        const [before] = await scene.append('a', bytes(1), bytes(2))
        await scene.reopen()
        const stored = await scene.storage.load('a')
        expect(validIncarnations(stored)).toContain(before.incarnation)
        expect(stored).toMatchObject({ head: 2, snapshot: null })
        expect(stored.tail).toEqual([entry(1, 1), entry(2, 2)])
        expect(await scene.append('a', bytes(3))).toEqual([{ seq: 3, incarnation: stored.incarnation, between: [] }])
      })
    })

    describe('append tells what was written since the base', () => {
      test('with the first entry of a document in a batch, in order', async () => {
        await scene.append('a', bytes(1), bytes(2), bytes(3))
        await scene.append('b', bytes(4))
        const requests = [
          { document: 'a', update: bytes(5), base: 1 },
          { document: 'b', update: bytes(6), base: 0 },
          { document: 'a', update: bytes(7), base: 1 },
        ]
        const appended = await scene.storage.append(requests)
        expect(appended.map(({ seq }) => seq)).toEqual([4, 2, 5])
        expect(appended.map(({ between }) => between)).toEqual([[entry(2, 2), entry(3, 3)], [entry(1, 4)], []])
      })

      test('nothing where the writer knows all of it', async () => {
        await scene.append('a', bytes(1))
        await scene.storage.compact('a', { snapshot: snapshot(1, bytes(1)), replaces: 0 })
        for (const base of [1, 2]) {
          const [{ between }] = await scene.storage.append([{ document: 'a', update: bytes(base), base }])
          expect(between).toEqual([])
        }
      })

      test('at most 64 KiB, without a gap; the rest is read', async () => {
        const updates = [random(30_000), random(35_536), random(1), random(70_000)]
        await scene.append('a', ...updates)
        const sinceBase = async (base: number) =>
          numbersOf((await scene.storage.append([{ document: 'a', update: bytes(0), base }]))[0].between)
        expect(await sinceBase(0)).toEqual([1, 2])
        expect(await sinceBase(2)).toEqual([3])
        expect(await sinceBase(3)).toEqual([])
        expect(numbersOf((await scene.storage.readAfter('a', 3))?.entries)).toEqual([4, 5, 6, 7])
      })

      test('nothing where a compaction has taken it in', async () => {
        await scene.append('a', bytes(1), bytes(2), bytes(3))
        await scene.storage.compact('a', { snapshot: snapshot(2, bytes(12)), replaces: 0 })
        const appended = await scene.storage.append([{ document: 'a', update: bytes(4), base: 1 }])
        expect(appended).toMatchObject([{ seq: 4, between: [] }])
        expect(await scene.storage.readAfter('a', 1)).toBeNull()
      })

      test.each([
        ['above the head', 3, 0],
        ['of another incarnation', 2, 1],
      ])('a base %s is refused, and nothing of the batch is written', async (_, base, wrong) => {
        const [{ incarnation }] = await scene.append('a', bytes(1), bytes(2))
        const appending = scene.storage.append([
          { document: 'b', update: bytes(3), base: 0 },
          { document: 'a', update: bytes(4), base, incarnation: incarnation + wrong },
        ])
        await expect(appending).rejects.toMatchObject({ code: 'STORAGE_CONFLICT' })
        expect((await scene.storage.load('a')).head).toBe(2)
        expect(await scene.namesWith('')).toEqual(['a'])
        expect((await scene.append('a', bytes(5)))[0].seq).toBe(3)
      })

      test('what has to be the first is refused where something was written, and nothing of the batch is written', async () => {
        await scene.append('a', bytes(1))
        const batch = ['b', 'a'].map((document) => ({ document, update: bytes(2), base: 0, isFirst: true }))
        await expect(scene.storage.append(batch)).rejects.toMatchObject({ code: 'STORAGE_CONFLICT' })
        expect(await scene.namesWith('')).toEqual(['a'])
        const [first] = batch
        expect((await scene.storage.append([first, first])).map(({ seq }) => seq)).toEqual([1, 2])
      })

      test('a base in a document that was removed is refused, unless it is 0: that update builds on nothing', async () => {
        const [{ incarnation }] = await scene.append('a', bytes(1))
        await scene.storage.remove('a')
        const request = { document: 'a', update: bytes(2), incarnation }
        await expect(scene.storage.append([{ ...request, base: 1 }])).rejects.toMatchObject({
          code: 'STORAGE_CONFLICT',
        })
        expect(await scene.namesWith('')).toEqual([])
        expect(await scene.storage.append([{ ...request, base: 0 }])).toMatchObject([{ seq: 1, between: [] }])
      })
    })

    describe('readAfter', () => {
      const read = async (after: number, maxBytes?: number) =>
        numbersOf((await scene.storage.readAfter('a', after, maxBytes))?.entries)

      test('gives the entries after a number, and their incarnation', async () => {
        const [{ incarnation }] = await scene.append('a', bytes(1), bytes(2), bytes(3))
        expect(await scene.storage.readAfter('a', 1)).toEqual({ incarnation, entries: [entry(2, 2), entry(3, 3)] })
        expect(await scene.storage.readAfter('a', 3)).toEqual({ incarnation, entries: [] })
        expect(await scene.storage.readAfter('unknown', 0)).toEqual({ incarnation: 0, entries: [] })
      })

      test('stops where they have so many bytes together, but gives one', async () => {
        await scene.append('a', random(10), random(10), random(100), random(1))
        expect(await read(0, 20)).toEqual([1, 2])
        expect(await read(0, 19)).toEqual([1])
        expect(await read(2, 20)).toEqual([3])
        expect(await read(2, 101)).toEqual([3, 4])
      })

      test('resolves null for numbers that the log does not have', async () => {
        await scene.append('a', bytes(1), bytes(2), bytes(3))
        await scene.storage.compact('a', { snapshot: snapshot(2, bytes(12)), replaces: 0 })
        expect(await scene.storage.readAfter('a', 1)).toBeNull()
        expect(await read(2)).toEqual([3])
        expect(await scene.storage.readAfter('a', 4)).toBeNull()
        expect(await scene.storage.readAfter('unknown', 1)).toBeNull()
      })
    })

    test('follow reports nothing that was appended through the same storage', async () => {
      await scene.append('a', bytes(1))
      const reports: LogPart[] = []
      const unfollow = scene.storage.follow('a', 0, (part) => reports.push(part))
      await scene.append('a', bytes(2))
      await scene.storage.load('a')
      unfollow()
      unfollow()
      await scene.append('a', bytes(3))
      await scene.storage.close()
      expect(reports).toEqual([])
    })

    describe('compact', () => {
      test('replaces entries, then also the snapshot, and keeps later entries', async () => {
        await scene.append('a', bytes(1), bytes(2), bytes(3))
        expect(await scene.storage.compact('a', { snapshot: snapshot(2, bytes(12)), replaces: 0 })).toBe(true)
        expect(await scene.storage.load('a')).toMatchObject({
          head: 3,
          snapshot: snapshot(2, bytes(12)),
          tail: [{ seq: 3, update: bytes(3) }],
        })
        await scene.append('a', bytes(4))
        expect(await scene.storage.compact('a', { snapshot: snapshot(4, bytes(1, 2), bytes(3, 4)), replaces: 2 })).toBe(
          true,
        )
        await scene.reopen()
        expect(await scene.storage.load('a')).toMatchObject({
          head: 4,
          snapshot: snapshot(4, bytes(1, 2), bytes(3, 4)),
          tail: [],
        })
        expect((await scene.append('a', bytes(5)))[0].seq).toBe(5)
      })

      test('keeps the incarnation: numbers stay valid', async () => {
        const [{ incarnation }] = await scene.append('a', bytes(1))
        await scene.storage.compact('a', { snapshot: snapshot(1, bytes(1)), replaces: 0 })
        expect((await scene.storage.load('a')).incarnation).toBe(incarnation)
        expect((await scene.append('a', bytes(2)))[0].incarnation).toBe(incarnation)
      })

      test('can replace a snapshot by one of the same number', async () => {
        await scene.append('a', bytes(1))
        await scene.storage.compact('a', { snapshot: snapshot(1, bytes(1), bytes(2), bytes(3)), replaces: 0 })
        expect(await scene.storage.compact('a', { snapshot: snapshot(1, bytes(7)), replaces: 1 })).toBe(true)
        expect((await scene.storage.load('a')).snapshot).toEqual(snapshot(1, bytes(7)))
      })

      test('keeps null for what is not known of the content', async () => {
        await scene.append('a', bytes(1))
        const unknown = { ...snapshot(1, bytes(1)), stateVector: null, deleteSet: null }
        await scene.storage.compact('a', { snapshot: unknown, replaces: 0 })
        expect((await scene.storage.load('a')).snapshot).toEqual(unknown)
      })

      test('resolves false and changes nothing when somebody else compacted first', async () => {
        await scene.append('a', bytes(1), bytes(2), bytes(3))
        await scene.storage.compact('a', { snapshot: snapshot(2, bytes(12)), replaces: 0 })
        const before = await scene.storage.load('a')
        expect(await scene.storage.compact('a', { snapshot: snapshot(3, bytes(13)), replaces: 0 })).toBe(false)
        expect(await scene.storage.compact('a', { snapshot: snapshot(3, bytes(13)), replaces: 1 })).toBe(false)
        expect(await scene.storage.load('a')).toEqual(before)
      })

      test('resolves false for numbers that the document does not have', async () => {
        await scene.append('a', bytes(1))
        const before = await scene.storage.load('a')
        expect(await scene.storage.compact('a', { snapshot: snapshot(2, bytes(1)), replaces: 0 })).toBe(false)
        expect(await scene.storage.compact('unknown', { snapshot: snapshot(1, bytes(1)), replaces: 0 })).toBe(false)
        expect(await scene.storage.load('a')).toEqual(before)
        expect(await scene.namesWith('')).toEqual(['a'])
      })

      test('resolves false for a snapshot of what was there before the document was made anew', async () => {
        const [{ incarnation }] = await scene.append('a', bytes(1))
        expect(await scene.storage.compact('a', { snapshot: snapshot(1, bytes(1)), replaces: 0, incarnation })).toBe(
          true,
        )
        await scene.storage.remove('a')
        const [anew] = await scene.append('a', bytes(2))
        expect(await scene.storage.compact('a', { snapshot: snapshot(1, bytes(1)), replaces: 0, incarnation })).toBe(
          false,
        )
        expect(await scene.storage.load('a')).toMatchObject({ head: 1, snapshot: null, tail: [entry(1, 2)] })
        expect(
          await scene.storage.compact('a', {
            snapshot: snapshot(1, bytes(2)),
            replaces: 0,
            incarnation: anew.incarnation,
          }),
        ).toBe(true)
      })

      test('of two at a time one succeeds', async () => {
        await scene.append('a', bytes(1), bytes(2))
        const results = await Promise.all([
          scene.storage.compact('a', { snapshot: snapshot(1, bytes(1)), replaces: 0 }),
          scene.storage.compact('a', { snapshot: snapshot(2, bytes(12)), replaces: 0 }),
        ])
        // Which one is not promised: an engine may do both over connections of their own.
        expect(results.toSorted()).toEqual([false, true])
        const [seq, tail] = results[0] ? [1, [{ seq: 2 }]] : [2, []]
        expect(await scene.storage.load('a')).toMatchObject({ head: 2, snapshot: { seq }, tail })
      })

      test('loses nothing that is appended or loaded meanwhile', async () => {
        const ledger: number[] = []
        let replaces = 0
        for (let round = 0; round < 10; round++) {
          const head = (await scene.storage.load('a')).head
          const chunks = Array.from({ length: 20 }, (_, index) => bytes(round, index))
          const compacting =
            head > 0 ? scene.storage.compact('a', { snapshot: snapshot(head, ...chunks), replaces }) : undefined
          const appending = Array.from({ length: 20 }, async () => {
            ledger.push((await scene.storage.append([{ document: 'a', update: bytes(round), base: head }]))[0].seq)
          })
          const loaded = await scene.storage.load('a')
          expect(loaded.tail.map(({ seq }) => seq)).toEqual(numbersAfter(loaded.snapshot?.seq ?? 0, loaded.head))
          await Promise.all(appending)
          if (await compacting) replaces = head
        }
        expect(ledger).toEqual(numbersAfter(0, 200))
        expect(replaces).toBe(180)
        expect((await scene.storage.load('a')).tail.map(({ seq }) => seq)).toEqual(numbersAfter(180, 200))
      })
    })
  })
}
