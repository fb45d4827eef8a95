import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, onTestFinished, test, vi } from 'vitest'
import type { Cursor } from '../../server/src/document/cursor.ts'
import { MemoryDatabase } from '../../server/src/storage/memory/database.ts'
import { MemoryStorage } from '../../server/src/storage/memory/memory-storage.ts'
import { openCore } from '../support/core.ts'
import { Writer } from '../support/edits.ts'
import { ManualClock } from '../support/manual-clock.ts'

const release = onTestFinished
/** How long entries stay, at least and at most. */
const OTHERS_READ_MS = 5_000
const LONGEST_WAIT_MS = 8_000
const DOCUMENT = 'notes'

/** A core whose documents are compacted after four entries, over an engine that others share. */
async function start(database = new MemoryDatabase(), clock = new ManualClock()) {
  const storage = new MemoryStorage({ database })
  await storage.open()
  release(() => storage.close())
  const options = { compactMinBytes: 1_000_000, compactMaxEntries: 4, compactIntervalMs: 0 }
  const { documents, lines, workers } = openCore({ release, storage, clock, options })
  const compact = vi.spyOn(workers, 'compact')
  const cursor: Cursor = await documents.join(DOCUMENT, { onEnd: () => cursor.release() })
  return { clock, storage, cursor, documents, lines, compact }
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

/** Four entries. Resolves when each server waits before it compacts them, with how long. */
async function fill(started: Started, servers = 1): Promise<readonly number[]> {
  const { clock, cursor } = started
  const writer = new Writer()
  for (const text of ['a', 'b', 'c', 'd']) await write(started, cursor, writer.insert(text).update)
  for (;;) {
    const waits = clock.pending.filter((ms) => ms > OTHERS_READ_MS - 100 && ms <= LONGEST_WAIT_MS)
    if (waits.length === servers) return waits.toSorted((a, b) => a - b)
    await nextTurn()
  }
}

const isCompacted = ({ lines }: Started) => lines.some(({ message }) => message === 'compacted a document')

test('entries stay in a shared log until the other servers have had the time to read them', async () => {
  const started = await start()
  const { clock, storage } = started
  const [wait = 0] = await fill(started)
  clock.advance(wait - 1)
  await nextTurn()
  expect(isCompacted(started)).toBe(false)
  expect((await storage.readAfter(DOCUMENT, 1))?.entries).toHaveLength(3)
  clock.advance(1)
  while (!isCompacted(started)) await nextTurn()
  expect(await storage.readAfter(DOCUMENT, 1)).toBeNull()
})

test('one of several servers compacts, and the others go on with what it has stored', async () => {
  const database = new MemoryDatabase()
  const first = await start(database)
  const servers = [first, await start(database, first.clock)]
  const [shorter = 0, longer = 0] = await fill(first, servers.length)
  first.clock.advance(shorter)
  while (!servers.some(isCompacted)) await nextTurn()
  expect(servers.filter(isCompacted)).toHaveLength(1)
  first.clock.advance(longer - shorter)
  while (!servers.every(isCompacted)) await nextTurn()
  expect(servers.flatMap(({ compact }) => compact.mock.calls)).toHaveLength(1)
  for (const { cursor } of servers) expect(cursor.document.log).toMatchObject({ tailEntries: 0 })
})

test('a server that closes does not wait for that', async () => {
  const started = await start()
  await fill(started)
  await started.documents.close()
  expect((await started.storage.readAfter(DOCUMENT, 1))?.entries).toHaveLength(3)
})
