import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import type { Storage } from '../../server/src/storage/storage.ts'
import { webhookCursor } from '../../server/src/storage/webhook-cursor.ts'
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
      expect(await scene.storage.cursors.claim('change', 'new')).toBeUndefined()
      await scene.append('doc', bytes(1))
      expect(await scene.storage.cursors.claim('change', 'doc')).toBeUndefined()
      expect(await scene.storage.cursors.advance('change', 'doc', 1, 0)).toBe('lost')
      expect(await scene.storage.cursors.untold('change', 10)).toEqual([])
    })

    test('a cursor begins before the first entry that names it, and stays where it is told no more', async () => {
      await scene.append('doc', bytes(1), bytes(2))
      await appendTelling(scene.storage, 'doc', ['change'], 2)
      await appendTelling(scene.storage, 'doc', ['change'], 1)
      expect(await scene.storage.cursors.claim('change', 'doc')).toEqual({ seq: 2 })
      expect(await scene.storage.cursors.untold('change', 10)).toEqual(['doc'])
    })

    test('it moves on as it is told, is gone at the head, and begins anew with the next entry', async () => {
      const { incarnation } = await appendTelling(scene.storage, 'doc', ['change'], 3)
      expect(await scene.storage.cursors.claim('change', 'doc')).toEqual({ seq: 0 })
      expect(await scene.storage.cursors.advance('change', 'doc', 2, incarnation)).toBe('behind')
      expect(await scene.storage.cursors.claim('change', 'doc')).toEqual({ seq: 2 })
      expect(await scene.storage.cursors.advance('change', 'doc', 3, incarnation)).toBe('told')
      expect(await scene.storage.cursors.claim('change', 'doc')).toBeUndefined()
      expect(await scene.storage.cursors.advance('change', 'doc', 3, incarnation)).toBe('lost')
      await scene.append('doc', bytes(4))
      await appendTelling(scene.storage, 'doc', ['change'], 1)
      expect(await scene.storage.cursors.claim('change', 'doc')).toEqual({ seq: 4 })
    })

    test('it goes to no number that the document does not have', async () => {
      const { incarnation } = await appendTelling(scene.storage, 'doc', ['change'], 1)
      await scene.storage.cursors.claim('change', 'doc')
      expect(await scene.storage.cursors.advance('change', 'doc', 2, incarnation)).toBe('lost')
      expect(await scene.storage.cursors.advance('change', 'doc', 1, incarnation + 1)).toBe('lost')
      expect(await scene.storage.cursors.claim('change', 'doc')).toEqual({ seq: 0 })
    })

    test('cursors of different names and documents are on their own', async () => {
      const { incarnation } = await appendTelling(scene.storage, 'doc', ['change', 'commit'], 1)
      await appendTelling(scene.storage, 'other 😀', ['change'], 1)
      await scene.storage.cursors.claim('change', 'doc')
      expect(await scene.storage.cursors.advance('change', 'doc', 1, incarnation)).toBe('told')
      expect(await scene.storage.cursors.claim('commit', 'doc')).toEqual({ seq: 0 })
      expect(await scene.storage.cursors.untold('change', 10)).toEqual(['other 😀'])
      expect(await scene.storage.cursors.untold('commit', 10)).toEqual(['doc'])
      await appendTelling(scene.storage, 'third', ['change'], 1)
      expect(await scene.storage.cursors.untold('change', 1)).toHaveLength(1)
    })

    test('it is there after reopening, free to be taken', async () => {
      const { incarnation } = await appendTelling(scene.storage, 'doc', ['change'], 3)
      await scene.storage.cursors.claim('change', 'doc')
      await scene.storage.cursors.advance('change', 'doc', 1, incarnation)
      await appendTelling(scene.storage, 'told', ['change'], 1).then(async (told) => {
        await scene.storage.cursors.claim('change', 'told')
        await scene.storage.cursors.advance('change', 'told', 1, told.incarnation)
      })
      await scene.reopen()
      expect(await scene.storage.cursors.untold('change', 10)).toEqual(['doc'])
      expect(await scene.storage.cursors.claim('change', 'doc')).toEqual({ seq: 1 })
      expect(await scene.storage.cursors.claim('change', 'told')).toBeUndefined()
    })

    describe('that could not be told', () => {
      const failure = {
        count: 1,
        since: 1_700_000_000_000.5,
        retryAt: 1_700_000_001_000.25,
        reason: 'it answered 500 😀',
      }
      const parked = { ...failure, count: 9, retryAt: null }

      test('is left alone until it is time, also after reopening, and forgets that when it moves', async () => {
        await appendTelling(scene.storage, 'doc', ['change'], 2)
        await scene.storage.cursors.claim('change', 'doc')
        expect(await scene.storage.cursors.postpone('change', 'doc', failure)).toBe(true)
        await appendTelling(scene.storage, 'doc', ['change'], 1)
        await scene.reopen()
        expect(await scene.storage.cursors.untold('change', 10)).toEqual([])
        expect(await scene.storage.cursors.claim('change', 'doc')).toEqual({ seq: 0, failure })
        scene.clock.advance(1_000.25)
        expect(await scene.storage.cursors.untold('change', 10)).toEqual(['doc'])
        const { incarnation } = await scene.storage.load('doc')
        expect(await scene.storage.cursors.advance('change', 'doc', 1, incarnation)).toBe('behind')
        expect(await scene.storage.cursors.claim('change', 'doc')).toEqual({ seq: 1 })
        expect(await scene.storage.cursors.listPostponed('change', undefined, 10)).toEqual([])
      })

      test('is listed, in byte order, and tried again when somebody asks for it', async () => {
        for (const document of ['b', 'é', 'a']) {
          await appendTelling(scene.storage, document, ['change'], 1)
          await scene.storage.cursors.claim('change', document)
          expect(await scene.storage.cursors.postpone('change', document, parked)).toBe(true)
        }
        await appendTelling(scene.storage, 'fine', ['change'], 1)
        scene.clock.advance(1e12)
        expect(await scene.storage.cursors.untold('change', 10)).toEqual(['fine'])
        const [first, second] = await scene.storage.cursors.listPostponed('change', undefined, 2)
        expect([first, second]).toEqual(['a', 'b'].map((document) => ({ document, ...parked })))
        expect(await scene.storage.cursors.listPostponed('change', 'b', 2)).toEqual([{ document: 'é', ...parked }])
        await scene.storage.cursors.retry('change', 'b')
        expect((await scene.storage.cursors.untold('change', 10)).toSorted()).toEqual(['b', 'fine'])
        await scene.storage.cursors.retry('change')
        expect((await scene.storage.cursors.untold('change', 10)).toSorted()).toEqual(['a', 'b', 'fine', 'é'])
        expect(await scene.storage.cursors.claim('change', 'a')).toEqual({ seq: 0 })
      })

      test('there is nothing to note where there is no cursor', async () => {
        await scene.append('doc', bytes(1))
        expect(await scene.storage.cursors.postpone('change', 'doc', failure)).toBe(false)
        await appendTelling(scene.storage, 'doc', ['change'], 1)
        await scene.storage.cursors.claim('change', 'doc')
        expect(await scene.storage.cursors.postpone('change', 'doc', failure, 1)).toBe(false)
      })
    })

    describe('that tells of a deletion', () => {
      const remove = (document: string, ...cursors: string[]) =>
        scene.storage.delete(document, { formerClients: bytes(), cursors })

      test('is there behind it, with nothing of what was to be told before, and gone when it has told', async () => {
        await appendTelling(scene.storage, 'doc', ['change', 'other'], 1)
        await scene.storage.cursors.claim('change', 'doc')
        await scene.storage.cursors.postpone('change', 'doc', { count: 1, since: 1, retryAt: null, reason: 'x' })
        await remove('doc', 'change')
        await scene.reopen()
        expect(await scene.storage.cursors.untold('other', 10)).toEqual([])
        expect(await scene.storage.cursors.untold('change', 10)).toEqual(['doc'])
        const { deletedAt = 0, ...place } = (await scene.storage.cursors.claim('change', 'doc')) ?? {}
        expect(place).toEqual({ seq: 0 })
        expect(deletedAt).toBe(scene.clock.now())
        expect(await scene.storage.cursors.advance('change', 'doc', 0, 0)).toBe('lost')
        expect(await scene.storage.cursors.toldDeletion('change', 'doc', deletedAt + 1)).toBe('lost')
        expect(await scene.storage.cursors.toldDeletion('change', 'doc', deletedAt)).toBe('told')
        expect(await scene.storage.cursors.untold('change', 10)).toEqual([])
        expect(await scene.storage.cursors.claim('change', 'doc')).toBeUndefined()
      })

      test('comes before what is written when the document is made anew, and once for several deletions', async () => {
        const makeAnew = async () => {
          const [{ incarnation }] = await scene.storage.append([
            { document: 'doc', update: bytes(1), base: 0, isFirst: true, anew: true, cursors: ['change'] },
          ])
          return incarnation
        }
        await appendTelling(scene.storage, 'doc', ['change'], 1)
        await remove('doc', 'change')
        await makeAnew()
        scene.clock.advance(1)
        await remove('doc', 'change')
        const incarnation = await makeAnew()
        await scene.reopen()
        expect(await scene.storage.cursors.untold('change', 10)).toEqual(['doc'])
        const { deletedAt = 0 } = (await scene.storage.cursors.claim('change', 'doc')) ?? {}
        expect(await scene.storage.cursors.advance('change', 'doc', 1, incarnation)).toBe('lost')
        const failure = { count: 1, since: 1, retryAt: null, reason: 'x' }
        expect(await scene.storage.cursors.postpone('change', 'doc', failure)).toBe(false)
        expect(await scene.storage.cursors.postpone('change', 'doc', failure, deletedAt)).toBe(true)
        expect(await scene.storage.cursors.untold('change', 10)).toEqual([])
        expect(await scene.storage.cursors.listPostponed('change', undefined, 10)).toEqual([
          { document: 'doc', ...failure },
        ])
        expect(await scene.storage.cursors.toldDeletion('change', 'doc', deletedAt)).toBe('behind')
        expect(await scene.storage.cursors.claim('change', 'doc')).toEqual({ seq: 0 })
      })

      test('is not told of where the deletion is forgotten, too', async () => {
        await appendTelling(scene.storage, 'doc', [], 1)
        await remove('doc', 'change')
        await scene.storage.remove('doc')
        expect(await scene.storage.cursors.untold('change', 10)).toEqual([])
      })
    })

    test('it goes with its document, and is no document', async () => {
      await appendTelling(scene.storage, 'doc', ['change'], 1)
      expect(await scene.namesWith('')).toEqual(['doc'])
      await scene.storage.remove('doc')
      expect(await scene.storage.cursors.untold('change', 10)).toEqual([])
      await scene.append('doc', bytes(1))
      expect(await scene.storage.cursors.claim('change', 'doc')).toBeUndefined()
    })
  })
}

/** What WebhookStore promises. */
export function webhookStoreConformance(newHost: NewStorageHost): void {
  describe('as a WebhookStore', () => {
    let scene: StorageScene

    beforeEach(async () => {
      scene = await StorageScene.open(newHost, onTestFinished)
    })

    const ids = async () => (await scene.storage.webhooks.loadWebhooks()).map(({ id }) => id).toSorted()

    test('keeps what is stored, one for each id', async () => {
      expect(await ids()).toEqual([])
      await scene.storage.webhooks.storeWebhook({ id: 'a', text: 'first' })
      await scene.storage.webhooks.storeWebhook({ id: 'b', text: '😀' })
      await scene.storage.webhooks.storeWebhook({ id: 'a', text: 'second' })
      await scene.reopen()
      expect((await scene.storage.webhooks.loadWebhooks()).toSorted((x, y) => (x.id < y.id ? -1 : 1))).toEqual([
        { id: 'a', text: 'second' },
        { id: 'b', text: '😀' },
      ])
      expect(await scene.namesWith('')).toEqual([])
    })

    test('removes one with all that it was to be told, and leaves others and hooks theirs', async () => {
      for (const id of ['a', 'b']) await scene.storage.webhooks.storeWebhook({ id, text: id })
      const cursors = ['change', ...['a', 'b', 'never'].map(webhookCursor)]
      await appendTelling(scene.storage, 'doc', cursors, 1)
      await scene.storage.delete('gone', { formerClients: bytes(), cursors })
      expect(await scene.storage.webhooks.removeWebhook('a')).toBe(true)
      expect(await scene.storage.webhooks.removeWebhook('a')).toBe(false)
      await scene.reopen()
      expect(await ids()).toEqual(['b'])
      const untold = (cursor: string) => scene.storage.cursors.untold(cursor, 10)
      for (const id of ['a', 'never']) expect(await untold(webhookCursor(id))).toEqual([])
      for (const cursor of ['change', webhookCursor('b')]) {
        expect((await untold(cursor)).toSorted()).toEqual(['doc', 'gone'])
      }
    })
  })
}
