import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import type { DatedEntry, Segment, WholeSegment } from '../../server/src/storage/history-store.ts'
import { bytes, type NewStorageHost, random, StorageScene, snapshot } from './storage-scene.ts'

const LONG = { maxRunMs: Number.POSITIVE_INFINITY }
/** Each segment that is written later than the one before is a start. */
const SHORT = { maxRunMs: 0 }

/** A list of authors; of several, with something behind it. */
function authorsOf(...authors: number[]): Uint8Array {
  return bytes(authors.length, ...authors.flatMap((author) => [1, author]), ...(authors.length > 1 ? [0, 0, 0] : []))
}

/** What the docstrings of storage.ts promise of history, of any implementation. */
export function historyStoreConformance(newHost: NewStorageHost): void {
  describe('history', () => {
    let scene: StorageScene

    beforeEach(async () => {
      scene = await StorageScene.open(newHost, onTestFinished)
    })

    /** Appends entries whose updates are numbers, a millisecond after each other, and says who wrote them. */
    const write = async (document: string, author: number, ...values: number[]) => {
      for (const value of values) {
        const { head, incarnation } = await scene.storage.load(document)
        const request = { document, update: bytes(value), base: head, incarnation, authors: authorsOf(author) }
        await scene.storage.append([request])
        scene.clock.advance(1)
      }
    }
    /** Compacts all that there is. */
    const compact = async (document: string, rules = LONG) => {
      const { head, snapshot: before } = await scene.storage.load(document)
      return scene.storage.compact(document, {
        snapshot: snapshot(head, bytes(head)),
        replaces: before?.seq ?? 0,
        history: rules,
      })
    }
    const segmentsOf = async (document: string) => {
      return (await scene.storage.history.listSegments(document, undefined, 1000)).toReversed()
    }
    const entriesIn = async (document: string) => {
      const entries: DatedEntry[] = []
      for (const { place } of await segmentsOf(document)) {
        entries.push(...((await scene.storage.history.readSegment(document, place)) ?? []))
      }
      return entries
    }
    const startOf = async (document: string, segment: Segment | undefined) => {
      return scene.storage.history.readStart(document, segment?.place ?? 0)
    }

    test('a tail says when each entry was written, and by whom', async () => {
      const now = scene.clock.now()
      await write('a', 7, 1)
      await scene.append('a', bytes(2))
      const { tail, ...stored } = await scene.storage.history.loadDated('a')
      expect(tail).toEqual([
        { seq: 1, time: now, authors: authorsOf(7), update: bytes(1) },
        { seq: 2, time: now + 1, authors: bytes(), update: bytes(2) },
      ])
      const { tail: _, ...expected } = await scene.storage.load('a')
      expect(stored).toEqual(expected)
      expect(await scene.storage.history.loadDated('unknown')).toMatchObject({ head: 0, tail: [] })
    })

    test('the time of an entry is a whole number, and the same in the log and in a segment', async () => {
      const time = scene.clock.now()
      scene.clock.advance(0.75)
      await write('a', 7, 1)
      expect((await scene.storage.history.loadDated('a')).tail).toMatchObject([{ time }])
      await compact('a')
      expect(await entriesIn('a')).toMatchObject([{ time }])
      expect(await segmentsOf('a')).toMatchObject([{ since: time, until: time }])
    })

    test('a snapshot and segments of another storage are what they were there, and go on', async () => {
      await write('a', 7, 11, 12)
      await compact('a', SHORT)
      await write('a', 8, 13)
      await compact('a', SHORT)
      await write('a', 8, 14)
      await compact('a', LONG)
      const [first, second, third] = await segmentsOf('a')
      const wholeOf = async (segment: Segment): Promise<WholeSegment> => ({
        entries: (await scene.storage.history.readSegment('a', segment.place)) ?? [],
        start: await startOf('a', segment),
      })
      const { snapshot: stored } = await scene.storage.load('a')
      const store = async (...segments: Segment[]) => {
        for (const segment of segments) await scene.storage.history.storeSegment('b', await wholeOf(segment))
      }

      await store(first)
      expect(await segmentsOf('b')).toEqual([])
      await scene.storage.storeSnapshot('b', stored ?? snapshot(0))
      await scene.storage.storeSnapshot('b', snapshot(9, bytes(9)))
      await store(third, second, second, first, third)
      await scene.reopen()
      expect(await scene.storage.load('b')).toMatchObject({ head: 4, snapshot: stored, tail: [] })
      expect(await segmentsOf('b')).toMatchObject(
        [second, third].map(({ first, last, since, until, isStart }) => ({ first, last, since, until, isStart })),
      )
      expect(await entriesIn('b')).toEqual((await entriesIn('a')).slice(2))
      expect(await startOf('b', (await segmentsOf('b'))[0])).toEqual(await startOf('a', second))

      await write('b', 9, 15)
      await compact('b', LONG)
      expect((await segmentsOf('b')).at(-1)).toMatchObject({ first: 5, last: 5, isStart: false })
      const beyond = { entries: [{ seq: 6, time: 1, authors: bytes(), update: bytes(16) }] }
      await scene.storage.history.storeSegment('b', beyond)
      expect(await segmentsOf('b')).toHaveLength(3)
    })

    test('what a compaction takes out is in segments, in the same step', async () => {
      const now = scene.clock.now()
      await write('a', 7, 11, 12)
      await write('a', 8, 13)
      expect(await compact('a')).toBe(true)
      await write('a', 7, 14)
      await scene.reopen()
      const segments = await segmentsOf('a')
      expect(segments).toMatchObject([{ first: 1, last: 3, since: now, until: now + 2, isStart: true }])
      expect(await entriesIn('a')).toEqual(
        [7, 7, 8].map((author, index) => {
          return { seq: index + 1, time: now + index, authors: authorsOf(author), update: bytes(11 + index) }
        }),
      )
      expect(await startOf('a', segments[0])).toEqual([])
      expect(await scene.storage.load('a')).toMatchObject({ head: 4, snapshot: { seq: 3 }, tail: [{ seq: 4 }] })
    })

    test('segments go on from one to the next, until a run is over: then what was before is kept with the next', async () => {
      await write('a', 1, 1, 2)
      await compact('a')
      await write('a', 1, 3)
      await compact('a')
      await write('a', 1, 4)
      await compact('a', SHORT)
      const segments = await segmentsOf('a')
      expect(segments.map(({ first, last, isStart }) => [first, last, isStart])).toEqual([
        [1, 2, true],
        [3, 3, false],
        [4, 4, true],
      ])
      expect(await startOf('a', segments[1])).toBeUndefined()
      expect(await startOf('a', segments[2])).toEqual([bytes(3)])
    })

    test('authors are as they were, several and what is whose, and left out of a segment where they are damaged', async () => {
      const given = [authorsOf(1, 2, 3), authorsOf(3), authorsOf(3, 1, 4), bytes(7, 7), bytes()]
      const requests = given.map((authors) => ({ document: 'a', update: bytes(9), base: 0, authors }))
      await scene.storage.append(requests)
      expect((await scene.storage.history.loadDated('a')).tail.map(({ authors }) => authors)).toEqual(given)
      await compact('a')
      const kept = given.map((authors, index) => (index === 3 ? bytes() : authors))
      expect((await entriesIn('a')).map(({ authors }) => authors)).toEqual(kept)
    })

    test('what goes out without rules is gone, and what follows is a start', async () => {
      await write('a', 1, 1)
      await compact('a')
      await write('a', 1, 2)
      const { head } = await scene.storage.load('a')
      expect(await scene.storage.compact('a', { snapshot: snapshot(head, bytes(21), bytes(22)), replaces: 1 })).toBe(
        true,
      )
      await write('a', 1, 3)
      await compact('a')
      const segments = await segmentsOf('a')
      expect(segments.map(({ first, isStart }) => [first, isStart])).toEqual([
        [1, true],
        [3, true],
      ])
      expect(await startOf('a', segments[1])).toEqual([bytes(21), bytes(22)])
    })

    test('much is cut into several segments, and is listed in pages, the latest first', async () => {
      const large = random(100_000)
      await scene.append('a', large, large, large, large, large)
      await compact('a')
      const segments = await segmentsOf('a')
      expect(segments.length).toBeGreaterThan(1)
      expect(segments.map(({ isStart }) => isStart)).toEqual(segments.map((_, index) => index === 0))
      expect((await entriesIn('a')).map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5])
      expect((await entriesIn('a'))[4]?.update).toEqual(large)
      const latest = await scene.storage.history.listSegments('a', undefined, 1)
      expect(latest).toEqual(segments.slice(-1))
      expect(await scene.storage.history.listSegments('a', latest[0]?.place, 1000)).toEqual(
        segments.slice(0, -1).reverse(),
      )
    })

    test('a compaction that changes nothing keeps nothing', async () => {
      await write('a', 1, 1, 2)
      await compact('a')
      await write('a', 1, 3)
      const before = await segmentsOf('a')
      expect(await scene.storage.compact('a', { snapshot: snapshot(3, bytes(3)), replaces: 1, history: LONG })).toBe(
        false,
      )
      expect(await scene.storage.compact('a', { snapshot: snapshot(9, bytes(3)), replaces: 2, history: LONG })).toBe(
        false,
      )
      expect(
        await scene.storage.compact('unknown', { snapshot: snapshot(1, bytes(3)), replaces: 0, history: LONG }),
      ).toBe(false)
      expect(await segmentsOf('a')).toEqual(before)
      await compact('a')
      expect((await entriesIn('a')).map(({ seq }) => seq)).toEqual([1, 2, 3])
    })

    test('of two compactions at a time, each entry is kept once', async () => {
      await write('a', 1, 1, 2)
      const compactTo = (seq: number) =>
        scene.storage.compact('a', { snapshot: snapshot(seq, bytes(seq)), replaces: 0, history: LONG })
      expect((await Promise.all([compactTo(1), compactTo(2)])).toSorted()).toEqual([false, true])
      await compact('a')
      expect((await entriesIn('a')).map(({ seq }) => seq)).toEqual([1, 2])
    })

    test('a document that is removed or deleted has none any more, nor has one that is made anew', async () => {
      for (const document of ['a', 'b']) {
        await write(document, 1, 1)
        await compact(document)
      }
      await scene.storage.remove('a')
      await scene.storage.delete('b', { formerClients: bytes() })
      await scene.storage.append(['a', 'b'].map((document) => ({ document, update: bytes(2), base: 0, anew: true })))
      for (const document of ['a', 'b']) {
        expect(await segmentsOf(document)).toEqual([])
        await compact(document)
        expect((await entriesIn(document)).map(({ update }) => update)).toEqual([bytes(2)])
      }
    })

    describe('that is too old', () => {
      /** Three runs, each of two segments with an entry. */
      const writeRuns = async () => {
        const times: number[] = []
        for (let value = 1; value <= 6; value++) {
          times.push(scene.clock.now())
          await write('a', 1, value)
          await compact('a', value % 2 === 1 ? SHORT : LONG)
        }
        await write('a', 1, 7)
        return times
      }
      const lasts = async (document: string) => (await segmentsOf(document)).map(({ last }) => last)

      test('goes away, but for what later entries need', async () => {
        const times = await writeRuns()
        await scene.storage.history.expireHistory(times[0])
        expect(await lasts('a')).toEqual([1, 2, 3, 4, 5, 6])
        await scene.storage.history.expireHistory(times[3])
        expect(await lasts('a')).toEqual([3, 4, 5, 6])
        expect(await startOf('a', (await segmentsOf('a'))[0])).toEqual([bytes(2)])
        await scene.storage.history.expireHistory(times[4])
        expect(await lasts('a')).toEqual([5, 6])
      })

      test('goes away as a whole, of all documents, and the next segment is a start', async () => {
        await writeRuns()
        await write('b', 1, 1)
        await compact('b')
        await scene.storage.history.expireHistory(Number.POSITIVE_INFINITY)
        expect([await lasts('a'), await lasts('b')]).toEqual([[], []])
        await compact('a')
        const segments = await segmentsOf('a')
        expect(segments).toMatchObject([{ first: 7, last: 7, isStart: true }])
        expect(await startOf('a', segments[0])).toEqual([bytes(6)])
      })
    })

    describe('named versions', () => {
      const version = async (name: string, seq = 1, update = bytes(seq)) => {
        const { incarnation } = await scene.storage.load('a')
        return { name, seq, namedAt: scene.clock.now(), authors: bytes(7), incarnation, update }
      }

      test('stay when the history before them goes away, each under a name of its own', async () => {
        await write('a', 1, 1, 2)
        const [first, second] = [await version('ä', 2), await version('a 😀')]
        expect(await scene.storage.history.nameVersion('a', first)).toBe('named')
        expect(await scene.storage.history.nameVersion('a', second)).toBe('named')
        scene.clock.advance(1)
        expect(await scene.storage.history.nameVersion('a', await version('ä', 1))).toBe('taken')
        await compact('a')
        await scene.storage.history.expireHistory(Number.POSITIVE_INFINITY)
        await scene.reopen()
        const listed = [second, first].map(({ name, seq, namedAt, authors }) => ({ name, seq, namedAt, authors }))
        expect(await scene.storage.history.listNamedVersions('a')).toEqual(listed)
        expect(await scene.storage.history.readNamedVersion('a', 'ä')).toEqual(bytes(2))
        expect(await scene.storage.history.readNamedVersion('a', 'other')).toBeUndefined()
        expect(await scene.storage.history.removeNamedVersion('a', 'ä')).toBe(true)
        expect(await scene.storage.history.removeNamedVersion('a', 'ä')).toBe(false)
        expect(await scene.storage.history.readNamedVersion('a', 'ä')).toBeUndefined()
        expect(await scene.storage.history.listNamedVersions('a')).toEqual(listed.slice(0, 1))
      })

      test('go with the document', async () => {
        await write('a', 1, 1)
        const old = await version('one')
        await scene.storage.history.nameVersion('a', old)
        await scene.storage.delete('a', { formerClients: bytes() })
        await scene.storage.append([{ document: 'a', update: bytes(2), base: 0, anew: true }])
        expect(await scene.storage.history.listNamedVersions('a')).toEqual([])
        expect(await scene.storage.history.readNamedVersion('a', 'one')).toBeUndefined()
        expect(await scene.storage.history.nameVersion('a', old)).toBe('missing')
        expect(await scene.storage.history.nameVersion('unknown', old)).toBe('missing')
      })
    })

    test('of a storage that is closed cannot be asked for', async () => {
      await scene.storage.close()
      const closed = { code: 'STORAGE_CLOSED' }
      await expect(scene.storage.history.loadDated('a')).rejects.toMatchObject(closed)
      await expect(scene.storage.history.listSegments('a', undefined, 1)).rejects.toMatchObject(closed)
      await expect(scene.storage.history.readSegment('a', 1)).rejects.toMatchObject(closed)
      await expect(scene.storage.history.readStart('a', 1)).rejects.toMatchObject(closed)
      await expect(scene.storage.history.expireHistory(0)).rejects.toMatchObject(closed)
      const version = { name: 'a', seq: 1, namedAt: 1, authors: bytes(), incarnation: 1, update: bytes() }
      await expect(scene.storage.history.nameVersion('a', version)).rejects.toMatchObject(closed)
      await expect(scene.storage.history.listNamedVersions('a')).rejects.toMatchObject(closed)
      await expect(scene.storage.history.readNamedVersion('a', 'a')).rejects.toMatchObject(closed)
      await expect(scene.storage.history.removeNamedVersion('a', 'a')).rejects.toMatchObject(closed)
    })
  })
}
