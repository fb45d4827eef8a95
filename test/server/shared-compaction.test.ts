import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import type { Cursor } from '../../server/src/document/cursor.ts'
import { MemoryDatabase } from '../../server/src/storage/memory/database.ts'
import { MemoryStorage } from '../../server/src/storage/memory/memory-storage.ts'
import { openCore } from '../support/core.ts'
import { Writer } from '../support/edits.ts'
import { ManualClock } from '../support/manual-clock.ts'

const release = onTestFinished
const OTHERS_READ_MS = 5_000
const DOCUMENT = 'notes'

/** A core whose documents are compacted after four entries, over an engine that others share. */
async function start() {
  const clock = new ManualClock()
  const storage = new MemoryStorage({ database: new MemoryDatabase() })
  await storage.open()
  release(() => storage.close())
  const options = { compactMinBytes: 1_000_000, compactMaxEntries: 4, compactIntervalMs: 0 }
  const { documents, lines } = openCore({ release, storage, clock, options })
  const cursor: Cursor = await documents.join(DOCUMENT, { onEnd: () => cursor.release() })
  return { clock, storage, cursor, documents, lines }
}

type Started = Awaited<ReturnType<typeof start>>

/** Writes an entry, and lets as much time pass as its commit needs. */
async function write({ clock }: Started, { document }: Cursor, update: Uint8Array): Promise<void> {
  const { durable } = document.submit(update, null)
  let isDurable = false
  void durable.then(() => {
    isDurable = true
  })
  while (!isDurable) {
    clock.advance(1)
    await nextTurn()
  }
}

/** Four entries. Resolves when their snapshot is made, with how long it is kept back. */
async function fill(started: Started): Promise<number> {
  const { clock, cursor } = started
  const writer = new Writer()
  for (const text of ['a', 'b', 'c', 'd']) await write(started, cursor, writer.insert(text).update)
  for (;;) {
    const wait = clock.pending.find((ms) => ms > OTHERS_READ_MS - 100 && ms <= OTHERS_READ_MS)
    if (wait !== undefined) return wait
    await nextTurn()
  }
}

const isCompacted = ({ lines }: Started) => lines.some(({ message }) => message === 'compacted a document')

test('entries stay in a shared log until the other servers have had the time to read them', async () => {
  const started = await start()
  const { clock, storage } = started
  const wait = await fill(started)
  clock.advance(wait - 1)
  await nextTurn()
  expect(isCompacted(started)).toBe(false)
  expect((await storage.readAfter(DOCUMENT, 1))?.entries).toHaveLength(3)
  clock.advance(1)
  while (!isCompacted(started)) await nextTurn()
  expect(await storage.readAfter(DOCUMENT, 1)).toBeNull()
})

test('a server that closes does not wait for that', async () => {
  const started = await start()
  await fill(started)
  await started.documents.close()
  expect((await started.storage.readAfter(DOCUMENT, 1))?.entries).toHaveLength(3)
})
