import { LevelStorage } from '../../server/src/storage/level/level-storage.ts'
import { recordingLog } from './log.ts'
import { ManualClock } from './manual-clock.ts'
import type { Release } from './temporary.ts'

/** Opens a storage whose clock stands still, and tells the errors that it logs. */
export async function openRecorded(directory: string, release: Release) {
  const { log, lines } = recordingLog()
  const storage = new LevelStorage({ directory, log, clock: new ManualClock() })
  await storage.open()
  release(() => storage.close())
  return { storage, errors: () => lines.filter(({ level }) => level === 'error') }
}
