import { LevelStorage } from '../../server/src/storage/level/level-storage.ts'
import { recordingLog } from '../support/log.ts'
import type { Read } from './directory-reader.ts'

/** Run as a process by directory-reader.ts: reads the directories that it is sent, one after the other. */
process.on('message', (directory: string) => {
  void read(directory).then((result) => process.send?.(result))
})

async function read(directory: string): Promise<Read> {
  const { log, lines } = recordingLog()
  const storage = new LevelStorage({ directory, log })
  try {
    await storage.open()
    const documents = []
    for (const document of await storage.list('', undefined, Number.MAX_SAFE_INTEGER)) {
      const { head, tail } = await storage.load(document)
      const [appended] = await storage.append([{ document, update: Buffer.from('goes on'), base: head }])
      documents.push({ document, head, updates: tail.map(({ update }) => update), next: appended.seq })
    }
    return { outcome: 'served', documents, isReported: lines.some(({ level }) => level === 'error') }
  } catch (error) {
    if (error instanceof Error && 'code' in error) return { outcome: 'refused', code: String(error.code) }
    throw error
  } finally {
    await storage.close()
  }
}
