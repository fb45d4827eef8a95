import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { systemClock } from '../../server/src/common/timing.ts'
import { type CommitSource, Committer } from '../../server/src/document/committer.ts'
import { MemoryDatabase } from '../../server/src/storage/memory/database.ts'
import { MemoryStorage, type MemoryStorageOptions } from '../../server/src/storage/memory/memory-storage.ts'
import { relayConformance } from '../conformance/relay.ts'
import { sharedStorageConformance } from '../conformance/shared-storage.ts'
import { storageConformance } from '../conformance/storage.ts'
import type { StorageHost } from '../conformance/storage-scene.ts'
import { recordingLog } from '../support/log.ts'
import { Random } from '../support/random.ts'
import type { Release } from '../support/temporary.ts'

/** Storages of one database, whose steps take a random number of turns. */
function hostOf(options: MemoryStorageOptions, random: Random, release: Release): StorageHost {
  const database = new MemoryDatabase()
  const pause = async () => {
    for (let turns = random.below(5); turns > 0; turns--) await nextTurn()
  }
  return {
    async open() {
      const storage = new MemoryStorage({ ...options, database, pause })
      await storage.open()
      release(() => storage.close())
      return storage
    },
  }
}

storageConformance('MemoryStorage', async (clock, release) => hostOf({ clock }, new Random(1), release))
sharedStorageConformance('MemoryStorage', async (release, random) => hostOf({}, random, release))
relayConformance('MemoryStorage', async (release, random) => hostOf({}, random, release))

test('a document that somebody else has removed costs no other its commit', async () => {
  const storage = await hostOf({}, new Random(1), onTestFinished).open()
  const committer = new Committer(storage, { restMs: () => 0 }, systemClock, recordingLog().log)
  const outcomes = new Map<string, unknown>()
  const source = (document: string, base: number): CommitSource => ({
    restMs: () => 0,
    takePending: () => [{ document, update: Uint8Array.of(1), base }],
    committed: (_, [{ seq }]) => outcomes.set(document, seq),
    commitFailed: (error) => outcomes.set(document, error),
  })
  for (const [document, base] of [
    ['first', 0],
    ['removed', 3],
    ['last', 0],
  ] as const)
    committer.request(source(document, base))
  await committer.settle()
  expect(Object.fromEntries(outcomes)).toMatchObject({ first: 1, removed: { code: 'STORAGE_CONFLICT' }, last: 1 })
})
