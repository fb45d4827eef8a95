import fc from 'fast-check'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import type { LogPart } from '../../server/src/storage/document-store.ts'
import type { Storage } from '../../server/src/storage/storage.ts'
import { Random } from '../support/random.ts'
import { runs } from '../support/runs.ts'
import type { Release } from '../support/temporary.ts'
import { appendTelling } from './storage-cursors.ts'
import { Replica } from './storage-replica.ts'
import { bytes, type StorageHost } from './storage-scene.ts'

/** @param random what an engine that has a choice chooses by */
export type NewSharedHost = (release: Release, random: Random) => Promise<StorageHost>

type Step = { readonly type: 'write'; readonly entries: number } | { readonly type: 'compact' | 'reopen' }

/** What each of several servers does, one step after the other. */
const servers: fc.Arbitrary<Step[][]> = fc.array(
  fc.array(
    fc.oneof(
      {
        weight: 5,
        arbitrary: fc.record({ type: fc.constant('write' as const), entries: fc.integer({ min: 1, max: 4 }) }),
      },
      { weight: 1, arbitrary: fc.record({ type: fc.constantFrom('compact' as const, 'reopen' as const) }) },
    ),
    { maxLength: 12 },
  ),
  { minLength: 2, maxLength: 4 },
)

/**
 * What the docstrings of storage.ts promise of an engine that several servers have open at a time.
 *
 * @param cost as for the storage
 */
export function sharedStorageConformance(name: string, newHost: NewSharedHost, cost = 1): void {
  describe(`${name} keeps the promises of a shared storage`, () => {
    let host: StorageHost
    let mine: Storage
    let theirs: Storage

    beforeEach(async () => {
      host = await newHost(onTestFinished, new Random(1))
      mine = await host.open()
      theirs = await host.open()
    })

    const append = async (storage: Storage, base: number, ...values: number[]) =>
      storage.append(values.map((value) => ({ document: 'doc', update: Uint8Array.of(value), base })))

    test('writers get numbers of one sequence, and what the others have written', async () => {
      await append(mine, 0, 1, 2)
      const [{ incarnation }, second] = await append(theirs, 0, 3, 4)
      expect(second).toEqual({ seq: 4, incarnation, between: [] })
      expect(await append(mine, 2, 5)).toEqual([{ seq: 5, incarnation, between: [entry(3, 3), entry(4, 4)] }])
      const tail = [1, 2, 3, 4, 5].map((value) => entry(value, value))
      for (const storage of [mine, theirs]) expect(await storage.load('doc')).toMatchObject({ head: 5, tail })
    })

    test('writers do not wait for each other, nor for those who read', async () => {
      const storages = [mine, theirs, await host.open()]
      const answers = await Promise.all(
        Array.from({ length: 60 }, async (_, index) => {
          const [{ seq, between }] = await append(storages[index % 3], 0, index)
          return { seq, between: between.map((entry) => entry.seq), value: index }
        }),
      )
      answers.sort((a, b) => a.seq - b.seq)
      for (const [index, { seq, between }] of answers.entries()) {
        expect(seq).toBe(index + 1)
        expect(between).toEqual(Array.from({ length: index }, (_, earlier) => earlier + 1))
      }
      expect((await mine.load('doc')).tail.map(({ update }) => update[0])).toEqual(answers.map(({ value }) => value))
    })

    test('a compaction loses nothing that others append meanwhile, and of two one succeeds', async () => {
      await append(mine, 0, 1, 2)
      await append(theirs, 2, 3)
      const results = await Promise.all([
        mine.compact('doc', { snapshot: snapshot(2, 1, 2), replaces: 0 }),
        append(theirs, 3, 4),
        theirs.compact('doc', { snapshot: snapshot(3, 1, 2, 3), replaces: 0 }),
      ])
      expect([results[0], results[2]].filter(Boolean)).toHaveLength(1)
      const { head, snapshot: kept, tail } = await mine.load('doc')
      expect([...(kept?.chunks ?? []), ...tail.map(({ update }) => update)].map(([value]) => value)).toEqual([
        1, 2, 3, 4,
      ])
      expect(head).toBe(4)
    })

    test('a writer whose document another has removed, or made anew, is told by STORAGE_CONFLICT', async () => {
      const conflict = { code: 'STORAGE_CONFLICT' }
      const [{ incarnation }] = await append(mine, 0, 1)
      const request = { document: 'doc', update: Uint8Array.of(2), base: 1, incarnation }
      await theirs.remove('doc')
      await expect(mine.append([request])).rejects.toMatchObject(conflict)
      await append(theirs, 0, 3, 4)
      await expect(mine.append([request])).rejects.toMatchObject(conflict)
      expect((await mine.load('doc')).tail).toEqual([entry(1, 3), entry(2, 4)])
    })

    test('a writer whose document another has deleted is told by GONE', async () => {
      const [{ incarnation }] = await append(mine, 0, 1)
      await theirs.delete('doc', { incarnation, formerClients: Uint8Array.of(7) })
      for (const base of [0, 1]) {
        const appending = mine.append([{ document: 'doc', update: Uint8Array.of(2), base, incarnation }])
        await expect(appending).rejects.toMatchObject({ code: 'GONE' })
      }
      await mine.append([{ document: 'doc', update: Uint8Array.of(3), base: 0, isFirst: true, anew: true }])
      expect(await theirs.load('doc')).toMatchObject({ head: 1, tail: [entry(1, 3)], formerClients: Uint8Array.of(7) })
    })

    test('of those who append while one deletes, some come before it, and none behind it', async () => {
      const appending = [mine, await host.open()].flatMap((storage) =>
        [0, 0, 0].map((base) => append(storage, base, 1)),
      )
      const deleting = theirs.delete('doc', { formerClients: Uint8Array.of(7) })
      for (const outcome of await Promise.allSettled(appending)) {
        if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'GONE' })
      }
      expect(await deleting).toBe(true)
      expect(await mine.load('doc')).toMatchObject({ head: 0, tail: [], isDeleted: true })
    })

    test('revocations and names are those of all', async () => {
      const revocation = { target: 'ada', time: 1 }
      await mine.revocations.storeRevocations([revocation], [])
      await append(mine, 0, 1)
      expect(await theirs.revocations.loadRevocations()).toEqual([revocation])
      expect(await theirs.list('', undefined, 10)).toEqual(['doc'])
      expect(await theirs.stat('doc')).toMatchObject({ head: 1 })
    })

    test('one that closes leaves the others at work', async () => {
      await append(mine, 0, 1)
      await mine.close()
      expect(await append(theirs, 0, 2)).toMatchObject([{ seq: 2, between: [entry(1, 1)] }])
    })

    describe('a cursor', () => {
      test('is held by who has appended first, until that server is gone', async () => {
        const { incarnation } = await appendTelling(mine, 'doc', ['change'], 1)
        await appendTelling(theirs, 'doc', ['change'], 1)
        expect(await theirs.cursors.claim('change', 'doc')).toBeUndefined()
        expect(await theirs.cursors.untold('change', 10)).toEqual([])
        expect(await mine.cursors.untold('change', 10)).toEqual(['doc'])
        expect(await mine.cursors.claim('change', 'doc')).toEqual({ seq: 0 })
        expect(await mine.cursors.advance('change', 'doc', 1, incarnation)).toBe('behind')
        expect(await theirs.cursors.advance('change', 'doc', 2, incarnation)).toBe('lost')
        await mine.close()
        expect(await theirs.cursors.untold('change', 10)).toEqual(['doc'])
        expect(await theirs.cursors.claim('change', 'doc')).toEqual({ seq: 1 })
        expect(await theirs.cursors.advance('change', 'doc', 2, incarnation)).toBe('told')
      })

      test('that tells of a deletion is held by who has told before, so that it comes behind that', async () => {
        await appendTelling(mine, 'doc', ['change'], 1)
        await theirs.delete('doc', { formerClients: bytes(), cursors: ['change', 'other'] })
        expect(await theirs.cursors.claim('change', 'doc')).toBeUndefined()
        expect(await theirs.cursors.claim('other', 'doc')).toMatchObject({ seq: 0 })
        expect(await mine.cursors.untold('change', 10)).toEqual(['doc'])
        await mine.close()
        const { deletedAt = 0 } = (await theirs.cursors.claim('change', 'doc')) ?? {}
        expect(await theirs.cursors.toldDeletion('change', 'doc', deletedAt)).toBe('told')
      })

      test('is not gone while somebody appends: whatever comes is before it or behind it', async () => {
        const { incarnation } = await appendTelling(mine, 'doc', ['change'], 1)
        for (let seq = 1; seq <= 20; seq++) {
          const [outcome] = await Promise.all([
            mine.cursors.advance('change', 'doc', seq, incarnation),
            appendTelling(theirs, 'doc', ['change'], 1),
          ])
          const holder = outcome === 'told' ? theirs : mine
          expect(await holder.cursors.claim('change', 'doc')).toEqual({ seq })
          expect(await (holder === mine ? theirs : mine).cursors.claim('change', 'doc')).toBeUndefined()
          if (holder === theirs) {
            await theirs.cursors.advance('change', 'doc', seq + 1, incarnation)
            await appendTelling(mine, 'doc', ['change'], 1)
            seq++
          }
        }
      })
    })

    describe('follow', () => {
      test('reports what others append, in order, each once', async () => {
        const { reports, until } = follow(theirs, 0)
        const [{ incarnation }] = await append(mine, 0, 1, 2)
        await append(mine, 2, 3)
        await until(3)
        expect(reports.flatMap(({ entries }) => entries)).toEqual([entry(1, 1), entry(2, 2), entry(3, 3)])
        for (const report of reports) expect(report.incarnation).toBe(incarnation)
      })

      test('reports what was appended before, after the number', async () => {
        await append(mine, 0, 1, 2, 3)
        const { reports, until } = follow(theirs, 1)
        expect(reports).toEqual([])
        await until(3)
        expect(reports.flatMap(({ entries }) => entries)).toEqual([entry(2, 2), entry(3, 3)])
      })

      test('leaves out what was appended through the same storage', async () => {
        await append(mine, 0, 1)
        const { reports, until } = follow(theirs, 0)
        await append(theirs, 1, 2)
        await append(mine, 2, 3)
        await until(3)
        expect(reports.flatMap(({ entries }) => entries)).toEqual([entry(1, 1), entry(3, 3)])
      })

      test('tells nothing of other documents, nor once it has ended', async () => {
        await append(mine, 0, 1)
        const closing = await host.open()
        const ended = follow(theirs, 0)
        const closed = follow(closing, 0)
        const other = follow(theirs, 0, 'other')
        ended.unfollow()
        await closing.close()
        const going = follow(theirs, 0)
        await append(mine, 1, 2)
        await going.until(2)
        expect([...ended.reports, ...closed.reports, ...other.reports]).toEqual([])
      })

      test('goes on behind what a compaction has taken in', async () => {
        await append(mine, 0, 1, 2, 3)
        await mine.compact('doc', { snapshot: snapshot(2, 1, 2), replaces: 0 })
        const { reports, until } = follow(theirs, 0)
        await until(3)
        expect(reports.flatMap(({ entries }) => entries)).toEqual([entry(3, 3)])
      })

      test('reports that a document was deleted, be it before or later', async () => {
        await append(mine, 0, 1, 2)
        const early = follow(theirs, 2)
        await mine.delete('doc', { formerClients: Uint8Array.of(7) })
        await early.untilDeleted()
        await follow(theirs, 2).untilDeleted()
        expect(early.reports[0]).toEqual({ incarnation: 0, entries: [], isDeleted: true })
      })

      test('reports a document that was made anew from its beginning, as another incarnation', async () => {
        const [{ incarnation }] = await append(mine, 0, 1, 2)
        const { reports, until } = follow(theirs, 2)
        await mine.remove('doc')
        const [anew] = await append(mine, 0, 3)
        await until(1)
        expect(anew.incarnation).not.toBe(incarnation)
        expect(reports).toEqual([{ incarnation: anew.incarnation, entries: [entry(1, 3)] }])
      })
    })

    test('servers that apply the log by number have the same in the end: each edit once, in one order', async () => {
      await fc.assert(
        fc.asyncProperty(servers, fc.nat(), async (scripts, seed) => {
          const released: (() => Promise<void>)[] = []
          const shared = await newHost((undo) => released.push(undo), new Random(seed))
          try {
            const replicas = await Promise.all(scripts.map(() => Replica.open(shared)))
            const written = await Promise.all(scripts.map((script, index) => play(script, replicas[index], index)))
            await Promise.all(replicas.map((replica) => replica.settle()))
            for (const { values } of replicas) expect(values).toEqual(replicas[0].values)
            expect([...replicas[0].values].sort((a, b) => a - b)).toEqual(written.flat())
          } finally {
            for (const undo of released.reverse()) await undo()
          }
        }),
        { numRuns: runs(60 / cost) },
      )
    })
  })
}

/** Does the steps, and resolves with all values that were written, in ascending order. */
async function play(script: readonly Step[], replica: Replica, server: number): Promise<number[]> {
  const written: number[] = []
  for (const step of script) {
    if (step.type !== 'write') {
      await replica[step.type]()
      continue
    }
    const values = Array.from({ length: step.entries }, (_, index) => server * 1_000 + written.length + index)
    await replica.write(values)
    written.push(...values)
    expect(replica.values).toEqual(expect.arrayContaining(values))
  }
  return written
}

/** What is reported of a document; `until` resolves when the entry with this number was. */
function follow(storage: Storage, after: number, document = 'doc') {
  const reports: LogPart[] = []
  let look: () => void = () => undefined
  const unfollow = storage.follow(document, after, (part) => {
    reports.push(part)
    look()
  })
  const untilSome = (isWanted: (report: LogPart) => boolean) =>
    new Promise<void>((resolve) => {
      look = () => {
        if (reports.some(isWanted)) resolve()
      }
      look()
    })
  const until = (seq: number) => untilSome(({ entries }) => entries.some((entry) => entry.seq === seq))
  const untilDeleted = () => untilSome(({ isDeleted }) => isDeleted === true)
  return { reports, until, untilDeleted, unfollow }
}

function entry(seq: number, value: number) {
  return { seq, update: Uint8Array.of(value) }
}

function snapshot(seq: number, ...values: number[]) {
  return { seq, chunks: values.map((value) => Uint8Array.of(value)), stateVector: null, deleteSet: null }
}
