import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { bytes, type NewStorageHost, StorageScene, snapshot } from './storage-scene.ts'

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
        await scene.storage.compact(name, snapshot(1, bytes(3)), 0)
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
        await scene.storage.compact('a', snapshot(2, bytes(1, 2, 3), bytes(4)), 0)
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
        await scene.storage.compact('a', snapshot(1, bytes(1)), 0)
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

    describe('remove', () => {
      test('removes all that is stored of a document, and of no other', async () => {
        await scene.append('a', bytes(1), bytes(2))
        await scene.storage.compact('a', snapshot(1, bytes(1)), 0)
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
