import { expect } from 'vitest'
import { LevelStorage } from '../../server/src/storage/level/level-storage.ts'
import type { LevelDocument } from '../../server/src/storage/level/stored.ts'

/** Opens what lies in the data directory of a closed server, and closes it after `use`. */
export async function withStored<T>(data: string, use: (storage: LevelStorage) => Promise<T>): Promise<T> {
  const storage = new LevelStorage({ directory: data })
  await storage.open()
  try {
    return await use(storage)
  } finally {
    await storage.close()
  }
}

/** What lies on the disk under this name. The server of the data directory must be closed. */
export function storedDocument(data: string, document: string): Promise<LevelDocument> {
  return withStored(data, (storage) => storage.load(document))
}

/** What a later opening of the storage gives where nothing has happened to the document: its numbers are still valid. */
export function inLaterOpening(stored: LevelDocument): LevelDocument {
  const { incarnation, earlierIncarnations, head } = stored
  return {
    ...stored,
    incarnation: expect.any(Number),
    earlierIncarnations: [{ incarnation, last: head }, ...earlierIncarnations],
  }
}
