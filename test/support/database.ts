import { LevelStorage } from '../../server/src/storage/level/level-storage.ts'
import { type Release, temporaryDirectory } from './temporary.ts'

/** Makes a database in which each document has these updates as its entries, and closes it. */
export async function databaseOf(
  release: Release,
  documents: Readonly<Record<string, readonly Uint8Array[]>>,
): Promise<string> {
  const directory = await temporaryDirectory(release)
  const storage = new LevelStorage({ directory })
  await storage.open()
  await storage.append(
    Object.entries(documents).flatMap(([document, updates]) =>
      updates.map((update) => ({ document, update, base: 0 })),
    ),
  )
  await storage.close()
  return directory
}
