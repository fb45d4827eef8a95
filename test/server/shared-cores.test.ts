import { setImmediate as nextTurn } from 'node:timers/promises'
import { MemoryDatabase } from '../../server/src/storage/memory/database.ts'
import { MemoryStorage } from '../../server/src/storage/memory/memory-storage.ts'
import {
  hurried,
  sharedCoresConformance,
  sharedCoresDeletion,
  sharedCoresFailover,
} from '../conformance/shared-cores.ts'
import type { NewSharedHost } from '../conformance/shared-storage.ts'

const newHost: NewSharedHost = async (release, random) => {
  const database = new MemoryDatabase()
  const pause = async () => {
    for (let turns = random.below(12); turns > 0; turns--) await nextTurn()
  }
  return {
    async open() {
      const storage = new MemoryStorage({ database, clock: hurried, pause })
      await storage.open()
      release(() => storage.close())
      return storage
    },
    async failOver() {
      database.failOver(() => random.below(4))
    },
  }
}

sharedCoresConformance('MemoryStorage', newHost)
sharedCoresFailover('MemoryStorage', newHost)
sharedCoresDeletion('MemoryStorage', newHost)
