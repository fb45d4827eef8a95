import { LevelStorage } from '../../server/src/storage/level/level-storage.ts'
import type { Report } from './storage-process.ts'
import { encodeValues, valuesIn } from './values.ts'

/** Run as a process by storage-process.ts. An update is a list of numbers, so that a compaction can be checked. */
const [directory = '', mode] = process.argv.slice(2)
const MOST_PER_BATCH = 8
const COMPACT_EVERY = 10
const VALUES_PER_CHUNK = 50

const storage = new LevelStorage({ directory })
await storage.open()
process.channel?.ref() // an open database alone does not keep a process alive
report({ type: 'open' })
if (mode === 'write') await Promise.all(['a', 'b', 'c'].map(writeForever))

async function writeForever(document: string): Promise<void> {
  const stored = await storage.load(document)
  let next = valuesIn(stored).length
  let base = stored.head
  for (let round = 1; ; round++) {
    const values = Array.from({ length: 1 + (round % MOST_PER_BATCH) }, () => next++)
    await storage.append(values.map((value) => ({ document, update: encodeValues([value]), base })))
    base += values.length
    report({ type: 'acknowledged', document, values })
    if (round % COMPACT_EVERY === 0) await compact(document)
  }
}

async function compact(document: string): Promise<void> {
  const stored = await storage.load(document)
  const values = valuesIn(stored)
  const chunks: Uint8Array[] = []
  for (let start = 0; start < values.length; start += VALUES_PER_CHUNK) {
    chunks.push(encodeValues(values.slice(start, start + VALUES_PER_CHUNK)))
  }
  const snapshot = { seq: stored.head, chunks, stateVector: null, deleteSet: null }
  const rules = { maxRunMs: Number.POSITIVE_INFINITY }
  await storage.compact(document, { snapshot, replaces: stored.snapshot?.seq ?? 0, history: rules })
}

function report(message: Report): void {
  process.send?.(message)
}
