import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import type { Author, Flush } from '../../server/src/document/subscriber.ts'
import { MemoryDatabase } from '../../server/src/storage/memory/database.ts'
import { MemoryStorage } from '../../server/src/storage/memory/memory-storage.ts'
import { openCore } from '../support/core.ts'
import { edit } from '../support/edits.ts'
import { Gate } from '../support/gate.ts'
import { ManualClock } from '../support/manual-clock.ts'

const release = onTestFinished
const DOCUMENT = 'notes'
const AUTHOR: Author = { isLimited: true }

/** A storage whose commits are as slow as a test has them. */
class GatedStorage extends MemoryStorage {
  gate: Gate | undefined

  override async append(...args: Parameters<MemoryStorage['append']>) {
    await this.gate?.opened
    return super.append(...args)
  }
}

/** One of several cores over a database, with somebody who reads. */
async function startCore(database: MemoryDatabase) {
  const clock = new ManualClock()
  const storage = new GatedStorage({ database })
  await storage.open()
  release(() => storage.close())
  const { documents } = openCore({ release, storage, clock, options: { maxGatherMs: 25 } })
  const flushes: Flush[] = []
  const cursor = await documents.join(DOCUMENT, {
    onFlush: (flush) => flushes.push(flush),
    onEnd: () => cursor.release(),
  })
  const until = async (isSo: () => boolean) => {
    while (!isSo()) await nextTurn()
  }
  return { clock, storage, document: cursor.document, flushes, until }
}

async function startTwo() {
  const database = new MemoryDatabase()
  const [here, there] = [await startCore(database), await startCore(database)]
  here.storage.gate = new Gate()
  return { here, there, gate: here.storage.gate }
}

test('what others wrote during a commit is shown with what it commits, and nobody is its only author', async () => {
  const { here, there, gate } = await startTwo()
  here.document.submit(edit('mine', 1).update, AUTHOR)
  await there.document.submit(edit('theirs', 2).update, null).durable
  await here.until(() => here.clock.pending.includes(25))
  expect(here.document.head).toBe(0)
  gate.open()
  await here.until(() => here.document.head === 2)
  expect(here.flushes.map(({ pieces, author, isForeign }) => [pieces.length, author, isForeign])).toEqual([
    [2, null, false],
  ])
})

test('what others wrote is shown without a commit that takes longer than the longest rest', async () => {
  const { here, there, gate } = await startTwo()
  here.document.submit(edit('mine', 1).update, AUTHOR)
  await there.document.submit(edit('theirs', 2).update, null).durable
  await here.until(() => here.clock.pending.includes(25))
  here.clock.advance(25)
  expect(here.flushes.map(({ pieces, isForeign }) => [pieces.length, isForeign])).toEqual([[1, true]])
  gate.open()
  await here.until(() => here.document.head === 2)
  expect(here.flushes.at(-1)).toMatchObject({ author: AUTHOR, isForeign: false })
})
