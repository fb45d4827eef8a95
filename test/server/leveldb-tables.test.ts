import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { systemClock } from '../../server/src/common/timing.ts'
import { type CommitSource, Committer } from '../../server/src/document/committer.ts'
import type { Appended } from '../../server/src/storage/document-store.ts'
import type { LevelStorage } from '../../server/src/storage/level/level-storage.ts'
import { BLOCK_BYTES, damageEntry, damageKey, settle } from '../support/damaged-table.ts'
import { databaseOf } from '../support/database.ts'
import { recordingLog } from '../support/log.ts'
import { openRecorded } from '../support/recorded-storage.ts'

const DAMAGED = { code: 'STORAGE_DAMAGED' }
const ENTRIES = 3
/** By name, in the order in which they are made. */
const IDS = { first: 1, middle: 2, last: 3 }

let data: string

beforeEach(async () => {
  const updates = Array.from({ length: ENTRIES }, () => new Uint8Array(BLOCK_BYTES))
  data = await databaseOf(onTestFinished, { first: updates, middle: updates, last: updates })
  await settle(data)
})

function open() {
  return openRecorded(data, onTestFinished)
}

function append(storage: LevelStorage, document: string): Promise<readonly Appended[]> {
  return storage.append([{ document, update: new Uint8Array(1), base: 0 }])
}

describe.each([2, 3])('where LevelDB cannot read entry %d', (seq) => {
  test('a document is neither served in part nor written, and others are', async () => {
    await damageEntry(data, IDS.middle, seq)
    const { storage, errors } = await open()
    await expect(storage.load('middle')).rejects.toMatchObject(DAMAGED)
    await expect(storage.stat('middle')).rejects.toMatchObject(DAMAGED)
    for (const document of ['first', 'last']) {
      expect(await append(storage, document)).toMatchObject([{ seq: ENTRIES + 1 }])
      expect((await storage.load(document)).head).toBe(ENTRIES + 1)
    }
    expect(await append(storage, 'new')).toMatchObject([{ seq: 1 }])
    expect(storage.damage).toEqual({ droppedBytes: 0, records: 0, failedReads: 2, lostEntries: 0 })
    expect(errors()).toMatchObject([{ facts: { err: DAMAGED } }])
  })
})

test('a document is not served up to a key that is out of order, which LevelDB takes for its end', async () => {
  await damageKey(data, IDS.middle, 2)
  const { storage } = await open()
  await expect(storage.load('middle')).rejects.toMatchObject(DAMAGED)
  await expect(append(storage, 'middle')).rejects.toMatchObject(DAMAGED)
  expect((await storage.load('first')).head).toBe(ENTRIES)
})

test('a number is not given again where the last entry cannot be read', async () => {
  await damageEntry(data, IDS.middle, ENTRIES)
  const { storage } = await open()
  await expect(append(storage, 'middle')).rejects.toMatchObject(DAMAGED)
})

test('an id is not given again where the last document cannot be read', async () => {
  await damageEntry(data, IDS.last, ENTRIES)
  const { storage } = await open()
  await expect(append(storage, 'new')).rejects.toMatchObject(DAMAGED)
  expect(await append(storage, 'first')).toMatchObject([{ seq: ENTRIES + 1 }])
})

test('what cannot be written costs nothing else that is committed with it', async () => {
  const { storage } = await open()
  await damageEntry(data, IDS.middle, ENTRIES)
  const { log } = recordingLog()
  const committer = new Committer(storage, { restMs: () => 0 }, systemClock, log)
  const outcomes = new Map<string, unknown>()
  const source = (document: string): CommitSource => ({
    restMs: () => 0,
    takePending: () => [{ document, update: new Uint8Array(1), base: 0 }],
    committed: (_, [appended]) => outcomes.set(document, appended.seq),
    commitFailed: (error) => outcomes.set(document, error),
  })
  for (const document of ['first', 'middle', 'last']) committer.request(source(document))
  await committer.settle()
  expect(Object.fromEntries(outcomes)).toMatchObject({ first: ENTRIES + 1, middle: DAMAGED, last: ENTRIES + 1 })
})
