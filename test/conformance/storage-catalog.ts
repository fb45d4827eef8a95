import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { bytes, entry, type NewStorageHost, random, StorageScene, snapshot } from './storage-scene.ts'

/** What Catalog promises of all documents together. */
export function catalogConformance(newHost: NewStorageHost): void {
  describe('as a Catalog', () => {
    let scene: StorageScene

    beforeEach(async () => {
      scene = await StorageScene.open(newHost, onTestFinished)
    })

    test.each(['__proto__', 'constructor', '😀', 'ä/ö', ' ', '100%', 'x'.repeat(255)])(
      'a name is opaque: %j',
      async (name) => {
        await scene.append(name, bytes(1))
        await scene.append(`${name}2`, bytes(2))
        await scene.storage.compact(name, { snapshot: snapshot(1, bytes(3)), replaces: 0 })
        await scene.reopen()
        expect(await scene.storage.load(name)).toMatchObject({ head: 1, snapshot: { seq: 1, chunks: [bytes(3)] } })
        expect(await scene.storage.stat(name)).toMatchObject({ head: 1, snapshotBytes: 1 })
        expect(await scene.namesWith('')).toEqual([name, `${name}2`])
        await scene.storage.remove(name)
        expect(await scene.namesWith('')).toEqual([`${name}2`])
        expect((await scene.storage.load(`${name}2`)).head).toBe(1)
      },
    )

    describe('stat', () => {
      test('gives times and sizes', async () => {
        const createdAt = scene.clock.now()
        await scene.append('a', bytes(1, 2, 3))
        scene.clock.advance(1000)
        await scene.append('a', bytes(4, 5), bytes(6))
        const facts = { createdAt, updatedAt: createdAt + 1000 }
        expect(await scene.storage.stat('a')).toEqual({
          ...facts,
          head: 3,
          snapshotBytes: 0,
          tailEntries: 3,
          tailBytes: 6,
        })
        scene.clock.advance(1000)
        await scene.storage.compact('a', { snapshot: snapshot(2, bytes(1, 2, 3), bytes(4)), replaces: 0 })
        expect(await scene.storage.stat('a')).toEqual({
          ...facts,
          head: 3,
          snapshotBytes: 4,
          tailEntries: 1,
          tailBytes: 1,
        })
      })

      test('a compaction is no update', async () => {
        await scene.append('a', bytes(1))
        const updatedAt = scene.clock.now()
        scene.clock.advance(1000)
        await scene.storage.compact('a', { snapshot: snapshot(1, bytes(1)), replaces: 0 })
        await scene.reopen()
        expect(await scene.storage.stat('a')).toMatchObject({ updatedAt, head: 1, tailEntries: 0, tailBytes: 0 })
      })
    })

    describe('list', () => {
      const names = ['', 'B', 'a', 'a/', 'a/1', 'a/2', 'ab', 'b', 'é', '～', '😀'] // UTF-16 would order the last two otherwise

      beforeEach(async () => {
        await scene.storage.append(names.toReversed().map((document) => ({ document, update: bytes(1), base: 0 })))
      })

      test('gives all names in byte order', async () => {
        expect(await scene.namesWith('')).toEqual(names)
      })

      test('gives those with the prefix, after the cursor, up to the limit', async () => {
        expect(await scene.namesWith('a')).toEqual(['a', 'a/', 'a/1', 'a/2', 'ab'])
        expect(await scene.namesWith('a/')).toEqual(['a/', 'a/1', 'a/2'])
        expect(await scene.storage.list('a', 'a/1', 2)).toEqual(['a/2', 'ab'])
        expect(await scene.storage.list('a', 'a/10', 1000)).toEqual(['a/2', 'ab'])
        expect(await scene.storage.list('a', 'B', 1)).toEqual(['a'])
        expect(await scene.storage.list('a', 'b', 1000)).toEqual([])
        expect(await scene.storage.list('', '', 1)).toEqual(['B'])
        expect(await scene.storage.list('x', undefined, 10)).toEqual([])
      })
    })

    describe('delete', () => {
      const formerClients = random(300)
      const gone = { code: 'GONE' }

      test('removes all that is stored of a document but that it was deleted', async () => {
        const [{ incarnation }] = await scene.append('a', bytes(1), bytes(2))
        await scene.storage.compact('a', { snapshot: snapshot(1, bytes(1)), replaces: 0 })
        await scene.append('b', bytes(3))
        expect(await scene.storage.delete('a', { incarnation, formerClients })).toBe(true)
        for (let opening = 0; opening < 2; opening++) {
          const never = await scene.storage.load('never written')
          expect(await scene.storage.load('a')).toEqual({ ...never, formerClients, isDeleted: true })
          expect(await scene.storage.readAfter('a', 1)).toBeNull()
          expect(await scene.storage.stat('a')).toBeUndefined()
          expect(await scene.namesWith('')).toEqual(['b'])
          expect(await scene.storage.listDeleted(undefined, 10)).toEqual([{ document: 'a', formerClients }])
          expect((await scene.storage.load('b')).tail).toEqual([{ seq: 1, update: bytes(3) }])
          await scene.reopen()
        }
      })

      test('lets nothing be appended, whatever it builds on, that is not to make it anew', async () => {
        const [before] = await scene.append('a', bytes(1))
        const { incarnation } = before
        await scene.storage.delete('a', { incarnation, formerClients })
        await scene.reopen()
        for (const base of [0, 1]) {
          const request = { document: 'a', update: bytes(2), base, incarnation }
          await expect(
            scene.storage.append([{ document: 'b', update: bytes(2), base: 0 }, request]),
          ).rejects.toMatchObject(gone)
        }
        expect(await scene.storage.compact('a', { snapshot: snapshot(1, bytes(1)), replaces: 0, incarnation })).toBe(
          false,
        )
        expect(await scene.namesWith('')).toEqual([])

        const [after] = await scene.storage.append([
          { document: 'a', update: bytes(3), base: 0, isFirst: true, anew: true },
        ])
        expect(after.seq).toBe(1)
        expect(after.incarnation).not.toBe(incarnation)
        await scene.append('a', bytes(4))
        await scene.reopen()
        const { isDeleted, ...stored } = await scene.storage.load('a')
        expect(stored).toMatchObject({ head: 2, formerClients, tail: [entry(1, 3), entry(2, 4)] })
        expect(isDeleted).toBeUndefined()
        expect(await scene.storage.listDeleted(undefined, 10)).toEqual([])
      })

      test('does nothing to a document that has gone on', async () => {
        const [{ incarnation }] = await scene.append('a', bytes(1))
        await scene.append('a', bytes(2))
        expect(await scene.storage.delete('a', { incarnation, head: 1, formerClients })).toBe(false)
        expect(await scene.storage.load('a')).toMatchObject({ head: 2 })
        expect(await scene.storage.listDeleted(undefined, 10)).toEqual([])
        expect(await scene.storage.delete('a', { incarnation, head: 2, formerClients })).toBe(true)
      })

      test('does nothing to a document that was made anew', async () => {
        const [{ incarnation }] = await scene.append('a', bytes(1))
        await scene.storage.delete('a', { incarnation, formerClients })
        await scene.storage.append([{ document: 'a', update: bytes(2), base: 0, anew: true }])
        expect(await scene.storage.delete('a', { incarnation, formerClients: bytes(9) })).toBe(false)
        expect(await scene.storage.load('a')).toMatchObject({ head: 1, formerClients, tail: [entry(1, 2)] })
        expect(await scene.storage.delete('a', { formerClients: bytes(9) })).toBe(true)
        expect(await scene.storage.load('a')).toMatchObject({ head: 0, formerClients: bytes(9), isDeleted: true })
      })

      test('is kept of what was never written, too, and listed page by page in byte order', async () => {
        for (const name of ['b', '～', '😀', 'a'])
          expect(await scene.storage.delete(name, { formerClients })).toBe(true)
        const pages = [undefined, 'b', '～', '😀'].map((cursor) => scene.storage.listDeleted(cursor, 2))
        const names = (await Promise.all(pages)).map((page) => page.map(({ document }) => document))
        expect(names).toEqual([['a', 'b'], ['～', '😀'], ['😀'], []])
      })

      test('is forgotten by a removal', async () => {
        await scene.append('a', bytes(1))
        await scene.storage.delete('a', { formerClients })
        await scene.storage.remove('a')
        await scene.reopen()
        expect(await scene.storage.load('a')).toEqual(await scene.storage.load('never written'))
        expect(await scene.append('a', bytes(2))).toMatchObject([{ seq: 1 }])
        await expect(scene.storage.remove('a')).resolves.toBeUndefined()
      })
    })

    describe('remove', () => {
      test('removes all that is stored of a document, and of no other', async () => {
        await scene.append('a', bytes(1), bytes(2))
        await scene.storage.compact('a', { snapshot: snapshot(1, bytes(1)), replaces: 0 })
        await scene.append('b', bytes(3))
        await scene.storage.remove('a')
        expect(await scene.storage.load('a')).toEqual(await scene.storage.load('never written'))
        expect(await scene.storage.stat('a')).toBeUndefined()
        expect(await scene.namesWith('')).toEqual(['b'])
        expect((await scene.storage.load('b')).tail).toEqual([{ seq: 1, update: bytes(3) }])
      })

      test('a document of the same name begins anew, as another incarnation', async () => {
        const [before] = await scene.append('a', bytes(1), bytes(2))
        await scene.storage.remove('a')
        const [after] = await scene.append('a', bytes(3))
        expect(after.seq).toBe(1)
        expect(after.incarnation).not.toBe(before.incarnation)
        await scene.reopen()
        expect((await scene.storage.load('a')).tail).toEqual([{ seq: 1, update: bytes(3) }])
      })

      test('an unknown name is fine', async () => {
        await expect(scene.storage.remove('unknown')).resolves.toBeUndefined()
      })
    })
  })
}
