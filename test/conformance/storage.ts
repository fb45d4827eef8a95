import fc from 'fast-check'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import type { WriteKey } from '../../server/src/storage/document-store.ts'
import { runs } from '../support/runs.ts'
import { catalogConformance } from './storage-catalog.ts'
import { cursorStoreConformance, webhookStoreConformance } from './storage-cursors.ts'
import { historyStoreConformance } from './storage-history.ts'
import { documentStoreConformance } from './storage-log.ts'
import { type Operation, operations, StorageModel } from './storage-model.ts'
import { bytes, type NewStorageHost, random, StorageScene, snapshot } from './storage-scene.ts'

/**
 * What the docstrings of storage.ts promise, of any implementation.
 *
 * @param cost how many times as long as in memory it takes: by so much less often is repeated what is random
 */
export function storageConformance(name: string, newHost: NewStorageHost, cost = 1): void {
  describe(`${name} keeps the promises of a storage`, () => {
    documentStoreConformance(newHost)
    historyStoreConformance(newHost)
    cursorStoreConformance(newHost)
    webhookStoreConformance(newHost)
    catalogConformance(newHost)
    storageItselfConformance(newHost, cost)
  })
}

function storageItselfConformance(newHost: NewStorageHost, cost: number): void {
  describe('as a whole', () => {
    let scene: StorageScene

    beforeEach(async () => {
      scene = await StorageScene.open(newHost, onTestFinished)
    })

    describe('revocations', () => {
      const [ada, eve] = ['ada 😀', 'eve'].map((target, index) => ({ target, time: 1_700_000_000_000.25 + index }))
      const everything = { target: null, time: 1_600_000_000_000 }

      test('there are none at first', async () => {
        expect(await scene.storage.revocations.loadRevocations()).toEqual([])
      })

      test('are there after reopening, the oldest first', async () => {
        await scene.storage.revocations.storeRevocations([eve], [])
        await scene.storage.revocations.storeRevocations([ada, everything], [])
        await scene.reopen()
        expect(await scene.storage.revocations.loadRevocations()).toEqual([everything, ada, eve])
      })

      test('replace those of the same target, and are forgotten by name', async () => {
        await scene.storage.revocations.storeRevocations([ada, eve], [])
        const [again, all] = [ada.target, null].map((target, index) => ({ target, time: eve.time + 1 + index }))
        await Promise.all([
          scene.storage.revocations.storeRevocations([again], []),
          scene.storage.revocations.storeRevocations([all], [eve.target, 'nobody']),
        ])
        expect(await scene.storage.revocations.loadRevocations()).toEqual([again, all])
      })

      test('are no documents, and documents are no revocations', async () => {
        await scene.storage.revocations.storeRevocations([ada, everything], [])
        expect(await scene.namesWith('')).toEqual([])
        await scene.append(ada.target, bytes(1))
        await scene.storage.remove(ada.target)
        await scene.append('later', bytes(2))
        expect(await scene.storage.revocations.loadRevocations()).toEqual([everything, ada])
      })
    })

    describe('keys of writes', () => {
      const key = (id: number, request = 1) => ({
        id: random(32).fill(id, 0, 2),
        request: random(32).fill(request, 0, 2),
      })
      const write = async (document: string, base: number, ...keys: WriteKey[]) =>
        (await scene.storage.append([{ document, update: bytes(base), base, keys }]))[0]

      test('are known with what was written, and by what was asked for', async () => {
        await write('a', 0)
        await write('a', 1, key(1), key(2, 7))
        await scene.reopen()
        const { incarnation } = await scene.storage.load('a')
        const known = { incarnation, seq: 2 }
        expect(await scene.storage.recall('a', key(1).id)).toEqual({ ...known, request: key(1).request })
        expect(await scene.storage.recall('a', key(2).id)).toEqual({ ...known, request: key(2, 7).request })
        for (const [document, id] of [
          ['a', 3],
          ['b', 1],
          ['never', 1],
        ] as const) {
          expect(await scene.storage.recall(document, key(id).id)).toBeUndefined()
        }
      })

      test('are those of one write: a second one is refused, and writes nothing', async () => {
        await write('a', 0, key(1))
        await expect(write('a', 1, key(1, 2))).rejects.toMatchObject({ code: 'STORAGE_CONFLICT' })
        expect((await scene.storage.load('a')).head).toBe(1)
        expect(await write('b', 0, key(1))).toMatchObject({ seq: 1 })
      })

      test('are known for a day', async () => {
        await write('a', 0, key(1))
        scene.clock.advance(24 * 60 * 60 * 1000 - 1)
        expect(await scene.storage.recall('a', key(1).id)).toMatchObject({ seq: 1 })
        scene.clock.advance(1)
        expect(await scene.storage.recall('a', key(1).id)).toBeUndefined()
        await write('a', 1, key(1))
        expect(await scene.storage.recall('a', key(1).id)).toMatchObject({ seq: 2 })
      })

      test('are the last thousand of a document, and go with it', async () => {
        const keys = Array.from({ length: 1001 }, (_, index) => {
          const { id, request } = key(0)
          return { id: id.fill(index >> 8, 0, 1).fill(index, 1, 2), request }
        })
        await write('b', 0, keys[0])
        await write('a', 0, keys[0])
        for (let seq = 1; seq < 11; seq++) await write('a', seq, ...keys.slice(seq * 100 - 99, seq * 100 + 1))
        const known = await Promise.all([0, 1, 1000].map((index) => scene.storage.recall('a', keys[index].id)))
        expect(known.map((found) => found?.seq)).toEqual([undefined, 2, 11])
        await scene.storage.remove('a')
        await write('a', 0)
        expect(await scene.storage.recall('a', keys[1000].id)).toBeUndefined()
        expect(await scene.storage.recall('b', keys[0].id)).toMatchObject({ seq: 1 })
      })
    })

    describe('keys of deletions', () => {
      const key = (id: number, request: number) => ({
        id: new Uint8Array(32).fill(id),
        request: new Uint8Array(32).fill(request),
      })
      const formerClients = Uint8Array.of()

      test('outlive the document, and the next one of its name', async () => {
        await scene.append('a', bytes(1))
        await scene.storage.delete('a', { formerClients, key: key(1, 2) })
        const known = { incarnation: 0, seq: 0, request: key(1, 2).request }
        await scene.reopen()
        expect(await scene.storage.recall('a', key(1, 2).id)).toEqual(known)
        await scene.storage.append([{ document: 'a', update: bytes(1), base: 0, anew: true }])
        expect(await scene.storage.recall('a', key(1, 2).id)).toEqual(known)
        expect(await scene.storage.recall('b', key(1, 2).id)).toBeUndefined()
        expect(await scene.storage.recall('a', key(2, 2).id)).toBeUndefined()
        scene.clock.advance(24 * 60 * 60 * 1000)
        expect(await scene.storage.recall('a', key(1, 2).id)).toBeUndefined()
      })

      test('are not noted where nothing is deleted', async () => {
        await scene.append('a', bytes(1))
        expect(await scene.storage.delete('a', { formerClients, head: 7, key: key(1, 2) })).toBe(false)
        expect(await scene.storage.recall('a', key(1, 2).id)).toBeUndefined()
      })
    })

    describe('close', () => {
      test('settles what is under way', async () => {
        const appending = ['a', 'a', 'b'].map((document) =>
          scene.storage.append([{ document, update: bytes(1), base: 0 }]),
        )
        await scene.storage.close()
        scene.storage = await scene.host.open()
        expect((await scene.storage.load('a')).head).toBe(2)
        expect((await Promise.all(appending)).flat().map(({ seq }) => seq)).toEqual([1, 2, 1])
      })

      test('then everything rejects with STORAGE_CLOSED, and closing again is fine', async () => {
        await scene.append('a', bytes(1))
        await scene.storage.close()
        const closed = { code: 'STORAGE_CLOSED' }
        await expect(scene.append('a', bytes(2))).rejects.toMatchObject(closed)
        await expect(scene.storage.append([])).rejects.toMatchObject(closed)
        await expect(scene.storage.load('a')).rejects.toMatchObject(closed)
        await expect(scene.storage.readAfter('a', 0)).rejects.toMatchObject(closed)
        await expect(
          scene.storage.compact('a', { snapshot: snapshot(1, bytes(1)), replaces: 0 }),
        ).rejects.toMatchObject(closed)
        await expect(scene.storage.stat('a')).rejects.toMatchObject(closed)
        await expect(scene.storage.list('', undefined, 1)).rejects.toMatchObject(closed)
        await expect(scene.storage.remove('a')).rejects.toMatchObject(closed)
        await expect(scene.storage.recall('a', bytes())).rejects.toMatchObject(closed)
        await expect(scene.storage.delete('a', { formerClients: bytes() })).rejects.toMatchObject(closed)
        await expect(scene.storage.listDeleted(undefined, 1)).rejects.toMatchObject(closed)
        await expect(scene.storage.cursors.claim('change', 'a')).rejects.toMatchObject(closed)
        await expect(scene.storage.cursors.advance('change', 'a', 1, 1)).rejects.toMatchObject(closed)
        await expect(scene.storage.cursors.untold('change', 1)).rejects.toMatchObject(closed)
        await expect(scene.storage.revocations.loadRevocations()).rejects.toMatchObject(closed)
        await expect(scene.storage.revocations.storeRevocations([], [])).rejects.toMatchObject(closed)
        await scene.storage.close()
      })
    })

    test('is ok where writes succeed', async () => {
      await scene.append('a', bytes(1))
      expect(scene.storage.status).toEqual({ state: 'ok' })
    })

    test('does what a model of it does, whatever the sequence', async () => {
      await fc.assert(
        fc.asyncProperty(operations, async (sequence) => {
          const released: (() => Promise<void>)[] = []
          const subject = await newHost(scene.clock, (undo) => released.push(undo))
          const model = new StorageModel(subject, await subject.open())
          try {
            for (const operation of sequence) await model.run(operation)
            await model.run({ type: 'reopen' } satisfies Operation)
            await model.compare()
          } finally {
            for (const undo of released.reverse()) await undo()
          }
        }),
        { numRuns: runs(40 / cost) },
      )
    })
  })
}
