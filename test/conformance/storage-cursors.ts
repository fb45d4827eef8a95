import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import type { Storage } from '../../server/src/storage/storage.ts'
import { bytes, type NewStorageHost, StorageScene } from './storage-scene.ts'

/** Appends an entry for each value; resolves with the last number and its incarnation. */
export async function appendTelling(storage: Storage, document: string, cursors: readonly string[], values: number) {
  const { head, incarnation } = await storage.load(document)
  const updates = Array.from({ length: values }, (_, index) => bytes(index))
  const appended = await storage.append(
    updates.map((update) => ({ document, update, base: head, incarnation, cursors })),
  )
  const { seq, ...last } = appended[values - 1]
  return { seq, incarnation: last.incarnation }
}

/** What CursorStore promises. */
export function cursorStoreConformance(newHost: NewStorageHost): void {
  describe('as a CursorStore', () => {
    let scene: StorageScene

    beforeEach(async () => {
      scene = await StorageScene.open(newHost, onTestFinished)
    })

    test('there is no cursor before an append names it', async () => {
      expect(await scene.storage.claim('change', 'new')).toBeUndefined()
      await scene.append('doc', bytes(1))
      expect(await scene.storage.claim('change', 'doc')).toBeUndefined()
      expect(await scene.storage.advance('change', 'doc', 1, 0)).toBe('lost')
      expect(await scene.storage.untold('change', 10)).toEqual([])
    })

    test('a cursor begins before the first entry that names it, and stays where it is told no more', async () => {
      await scene.append('doc', bytes(1), bytes(2))
      await appendTelling(scene.storage, 'doc', ['change'], 2)
      await appendTelling(scene.storage, 'doc', ['change'], 1)
      expect(await scene.storage.claim('change', 'doc')).toBe(2)
      expect(await scene.storage.untold('change', 10)).toEqual(['doc'])
    })

    test('it moves on as it is told, is gone at the head, and begins anew with the next entry', async () => {
      const { incarnation } = await appendTelling(scene.storage, 'doc', ['change'], 3)
      expect(await scene.storage.claim('change', 'doc')).toBe(0)
      expect(await scene.storage.advance('change', 'doc', 2, incarnation)).toBe('behind')
      expect(await scene.storage.claim('change', 'doc')).toBe(2)
      expect(await scene.storage.advance('change', 'doc', 3, incarnation)).toBe('told')
      expect(await scene.storage.claim('change', 'doc')).toBeUndefined()
      expect(await scene.storage.advance('change', 'doc', 3, incarnation)).toBe('lost')
      await scene.append('doc', bytes(4))
      await appendTelling(scene.storage, 'doc', ['change'], 1)
      expect(await scene.storage.claim('change', 'doc')).toBe(4)
    })

    test('it goes to no number that the document does not have', async () => {
      const { incarnation } = await appendTelling(scene.storage, 'doc', ['change'], 1)
      await scene.storage.claim('change', 'doc')
      expect(await scene.storage.advance('change', 'doc', 2, incarnation)).toBe('lost')
      expect(await scene.storage.advance('change', 'doc', 1, incarnation + 1)).toBe('lost')
      expect(await scene.storage.claim('change', 'doc')).toBe(0)
    })

    test('cursors of different names and documents are on their own', async () => {
      const { incarnation } = await appendTelling(scene.storage, 'doc', ['change', 'commit'], 1)
      await appendTelling(scene.storage, 'other 😀', ['change'], 1)
      await scene.storage.claim('change', 'doc')
      expect(await scene.storage.advance('change', 'doc', 1, incarnation)).toBe('told')
      expect(await scene.storage.claim('commit', 'doc')).toBe(0)
      expect(await scene.storage.untold('change', 10)).toEqual(['other 😀'])
      expect(await scene.storage.untold('commit', 10)).toEqual(['doc'])
      await appendTelling(scene.storage, 'third', ['change'], 1)
      expect(await scene.storage.untold('change', 1)).toHaveLength(1)
    })

    test('it is there after reopening, free to be taken', async () => {
      const { incarnation } = await appendTelling(scene.storage, 'doc', ['change'], 3)
      await scene.storage.claim('change', 'doc')
      await scene.storage.advance('change', 'doc', 1, incarnation)
      await appendTelling(scene.storage, 'told', ['change'], 1).then(async (told) => {
        await scene.storage.claim('change', 'told')
        await scene.storage.advance('change', 'told', 1, told.incarnation)
      })
      await scene.reopen()
      expect(await scene.storage.untold('change', 10)).toEqual(['doc'])
      expect(await scene.storage.claim('change', 'doc')).toBe(1)
      expect(await scene.storage.claim('change', 'told')).toBeUndefined()
    })

    test('it goes with its document, and is no document', async () => {
      await appendTelling(scene.storage, 'doc', ['change'], 1)
      expect(await scene.namesWith('')).toEqual(['doc'])
      await scene.storage.remove('doc')
      expect(await scene.storage.untold('change', 10)).toEqual([])
      await scene.append('doc', bytes(1))
      expect(await scene.storage.claim('change', 'doc')).toBeUndefined()
    })
  })
}
