import { LevelStorage } from '../../server/src/storage/leveldb.ts'
import type { StoredDocument } from '../../server/src/storage/storage.ts'

/** What lies on the disk under this name. The server of the data directory must be closed. */
export async function storedDocument(data: string, document: string): Promise<StoredDocument> {
  const storage = new LevelStorage({ directory: data })
  await storage.open()
  try {
    return await storage.load(document)
  } finally {
    await storage.close()
  }
}
