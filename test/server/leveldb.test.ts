import { LevelStorage } from '../../server/src/storage/level/level-storage.ts'
import { storageConformance } from '../conformance/storage.ts'
import { temporaryDirectory } from '../support/temporary.ts'

storageConformance('LevelStorage', async (clock, release) => {
  const directory = await temporaryDirectory(release)
  return {
    async open() {
      const storage = new LevelStorage({ directory, clock })
      await storage.open()
      release(() => storage.close())
      return storage
    },
  }
})
