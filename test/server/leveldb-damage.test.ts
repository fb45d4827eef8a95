import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { CoeditError } from '../../server/src/common/errors.ts'
import type { Snapshot, StoredDocument } from '../../server/src/storage/document-store.ts'
import { chunkKey, cursorKey, entryKey, metadataKey, nameKey } from '../../server/src/storage/level/keys.ts'
import { LevelStorage } from '../../server/src/storage/level/level-storage.ts'
import { encodeChunk, encodeNumber } from '../../server/src/storage/level/records.ts'
import type { LevelDocument } from '../../server/src/storage/level/stored.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { RawLevel } from '../support/raw-level.ts'
import { openRecorded } from '../support/recorded-storage.ts'
import { runs } from '../support/runs.ts'
import { inLaterOpening } from '../support/stored-document.ts'
import { type Release, temporaryDirectory } from '../support/temporary.ts'

/** The id that the first document of a directory gets. */
const ID = 1
const GENERATION = 1

let directory: string

beforeEach(async () => {
  directory = await temporaryDirectory(onTestFinished)
})

function openStorage(release: Release = onTestFinished) {
  return openRecorded(directory, release)
}

/** Writes 'doc' with `entries` entries, of which the first `compacted` become a snapshot of three chunks. */
async function write(entries: number, compacted = 0): Promise<LevelDocument> {
  const { storage } = await openStorage()
  await storage.append(numbers(1, entries).map((n) => ({ document: 'doc', update: text(`entry ${n}`), base: 0 })))
  if (compacted > 0)
    await storage.compact('doc', { snapshot: snapshot(compacted, 'chunk 1', 'chunk 2', 'chunk 3'), replaces: 0 })
  const stored = await storage.load('doc')
  await storage.close()
  return stored
}

function damage<T>(action: (raw: RawLevel) => Promise<T>): Promise<T> {
  return RawLevel.use(directory, action)
}

describe('a cursor', () => {
  const told = (values: number) =>
    numbers(1, values).map((n) => ({ document: 'doc', update: text(`entry ${n}`), base: 0, cursors: ['change'] }))

  test('that is damaged begins anew, so that all is told', async () => {
    const { storage } = await openStorage()
    const [{ incarnation }] = await storage.append(told(3))
    await storage.cursors.advance('change', 'doc', 2, incarnation)
    await storage.close()
    await damage((raw) => raw.flip(cursorKey('change', 'doc')))
    const { storage: again, errors } = await openStorage()
    expect(errors()).toHaveLength(1)
    expect(await again.cursors.claim('change', 'doc')).toEqual({ seq: 0 })
  })

  test('of a document that was cut off before it begins anew, too', async () => {
    const { storage } = await openStorage()
    const [{ incarnation }] = await storage.append(told(5))
    await storage.cursors.advance('change', 'doc', 4, incarnation)
    await storage.close()
    await damage((raw) => raw.flip(entryKey(ID, 3)))
    const { storage: again } = await openStorage()
    const { head, incarnation: present } = await again.load('doc')
    expect(head).toBe(2)
    expect(await again.cursors.claim('change', 'doc')).toEqual({ seq: 0 })
    expect(await again.cursors.advance('change', 'doc', 2, present)).toBe('told')
    expect(await again.cursors.untold('change', 10)).toEqual([])
  })
})

describe('a damaged entry', () => {
  test('ends the document; what follows is kept as quarantined, until it is released', async () => {
    const before = await write(5)
    await damage((raw) => raw.flip(entryKey(ID, 3)))

    const { storage, errors } = await openStorage()
    const damaged = await storage.load('doc')
    expect(damaged).toMatchObject({ head: 2, snapshot: null })
    expect(texts(damaged.tail)).toEqual(['entry 1', 'entry 2'])
    expect(texts(damaged.quarantined)).toEqual(['entry 4', 'entry 5'])
    expect(damaged.incarnation).not.toBe(before.incarnation)
    expect(storage.damage.records).toBe(3)
    expect(errors()).toHaveLength(1)
    expect(await storage.load('doc')).toEqual(damaged)
    expect(errors()).toHaveLength(1)

    const [first, second] = damaged.quarantined
    const appended = await storage.append([
      { document: 'doc', update: text('entries 3 and 4'), base: 2, releases: [first.id] },
      { document: 'doc', update: text('entry 5'), base: 2, releases: [second.id] },
    ])
    expect(appended).toEqual([3, 4].map((seq) => ({ seq, incarnation: damaged.incarnation, between: [] })))
    await storage.close()

    const reopened = await openStorage()
    const after = await reopened.storage.load('doc')
    expect(texts(after.tail)).toEqual(['entry 1', 'entry 2', 'entries 3 and 4', 'entry 5'])
    expect(after.quarantined).toEqual([])
    expect(reopened.storage.damage.records).toBe(0)
  })

  test('is kept byte for byte, but not handed out', async () => {
    await write(2)
    const broken = await damage((raw) => raw.flip(entryKey(ID, 1)))
    const { storage } = await openStorage()
    expect(texts((await storage.load('doc')).quarantined)).toEqual(['entry 2'])
    await storage.close()
    const kept = await damage((raw) => raw.records())
    expect(kept.some(({ value }) => value.includes(broken))).toBe(true)
  })

  test('is noticed when it is the last one, by a load', async () => {
    await write(3)
    await damage((raw) => raw.flip(entryKey(ID, 3), 0))
    const { storage } = await openStorage()
    expect(await storage.load('doc')).toMatchObject({ head: 2, quarantined: [] })
    expect(storage.damage.records).toBe(1)
  })

  test('is noticed when it is the last one, by an append that was not preceded by a load', async () => {
    const { incarnation } = await write(3)
    await damage((raw) => raw.flip(entryKey(ID, 3)))
    const { storage } = await openStorage()
    const [appended] = await storage.append([{ document: 'doc', update: text('new'), base: 0 }])
    expect(appended.seq).toBe(3)
    expect(appended.incarnation).not.toBe(incarnation)
    expect(texts((await storage.load('doc')).tail)).toEqual(['entry 1', 'entry 2', 'new'])
  })

  test('is noticed by stat', async () => {
    await write(3)
    await damage((raw) => raw.flip(entryKey(ID, 2)))
    const { storage } = await openStorage()
    expect(await storage.stat('doc')).toMatchObject({ head: 1, tailEntries: 1, tailBytes: 'entry 1'.length })
  })

  test('under the number of another one is damage too', async () => {
    await write(3)
    await damage(async (raw) => raw.put(entryKey(ID, 3), await raw.get(entryKey(ID, 2))))
    const { storage } = await openStorage()
    expect(texts((await storage.load('doc')).tail)).toEqual(['entry 1', 'entry 2'])
  })

  test('does not keep other documents of the batch from being written', async () => {
    await write(3)
    await damage((raw) => raw.flip(entryKey(ID, 3)))
    const { storage } = await openStorage()
    await storage.append(['other', 'doc', 'third'].map((document) => ({ document, update: text('new'), base: 0 })))
    for (const name of ['other', 'third']) expect((await storage.load(name)).head).toBe(1)
  })
})

test('a missing entry ends the document, and what follows is quarantined', async () => {
  await write(6, 2)
  await damage((raw) => raw.remove(entryKey(ID, 4)))
  const { storage } = await openStorage()
  const damaged = await storage.load('doc')
  expect(damaged).toMatchObject({ head: 3, snapshot: snapshot(2, 'chunk 1', 'chunk 2', 'chunk 3') })
  expect(texts(damaged.tail)).toEqual(['entry 3'])
  expect(texts(damaged.quarantined)).toEqual(['entry 5', 'entry 6'])
})

describe('a damaged snapshot', () => {
  test('is served up to the damaged chunk, without what is no longer known of it', async () => {
    await write(4, 2)
    await damage((raw) => raw.flip(chunkKey(ID, GENERATION, 1)))
    const { storage } = await openStorage()
    const damaged = await storage.load('doc')
    expect(damaged).toMatchObject({ head: 2, tail: [] })
    expect(damaged.snapshot).toEqual({ seq: 2, chunks: [text('chunk 1')], stateVector: null, deleteSet: null })
    expect(texts(damaged.quarantined)).toEqual(['chunk 3', 'entry 3', 'entry 4'])
    expect(await storage.append([{ document: 'doc', update: text('new'), base: 2 }])).toMatchObject([{ seq: 3 }])
    expect(await storage.compact('doc', { snapshot: snapshot(3, 'all'), replaces: 2 })).toBe(true)
    expect(await storage.load('doc')).toMatchObject({ head: 3, snapshot: snapshot(3, 'all') })
  })

  test('is gone where its first chunk is damaged, and nothing else is', async () => {
    await write(3, 2)
    await damage((raw) => raw.flip(chunkKey(ID, GENERATION, 0)))
    const { storage } = await openStorage()
    const damaged = await storage.load('doc')
    expect(damaged).toMatchObject({ head: 0, snapshot: null, tail: [] })
    expect(texts(damaged.quarantined)).toEqual(['chunk 2', 'chunk 3', 'entry 3'])
  })

  test('is noticed where its last chunk is missing', async () => {
    await write(2, 2)
    await damage((raw) => raw.remove(chunkKey(ID, GENERATION, 2)))
    const { storage } = await openStorage()
    expect((await storage.load('doc')).snapshot?.chunks).toEqual([text('chunk 1'), text('chunk 2')])
  })
})

describe('damaged metadata', () => {
  const lose = {
    damaged: (raw: RawLevel) => raw.flip(metadataKey(ID)),
    missing: (raw: RawLevel) => raw.remove(metadataKey(ID)),
  }

  test.each(['damaged', 'missing'] as const)('costs no content: %s', async (how) => {
    const { incarnation } = await write(4, 2)
    await damage<unknown>(lose[how])
    const { storage } = await openStorage()
    const restored = await storage.load('doc')
    expect(restored.snapshot).toMatchObject({ seq: 2, stateVector: null, deleteSet: null })
    expect(restored.snapshot?.chunks).toHaveLength(3)
    expect(texts(restored.tail)).toEqual(['entry 3', 'entry 4'])
    expect(restored.quarantined).toEqual([])
    expect(restored.incarnation).not.toBe(incarnation)
    expect(await storage.load('doc')).toEqual(restored)
  })

  test('costs nothing either where a compaction was interrupted before', async () => {
    await write(4)
    await damage(async (raw) => {
      await leaveChunks(raw, GENERATION, 3)
      await raw.flip(metadataKey(ID))
    })
    const { storage } = await openStorage()
    const restored = await storage.load('doc')
    expect(restored).toMatchObject({ head: 4, snapshot: null })
    expect(texts(restored.quarantined)).toEqual(['left 1', 'left 2'])
  })

  test('and a damaged snapshot together leave everything in quarantine', async () => {
    await write(3, 2)
    await damage(async (raw) => {
      await raw.flip(metadataKey(ID))
      await raw.flip(chunkKey(ID, GENERATION, 0))
    })
    const { storage } = await openStorage()
    const restored = await storage.load('doc')
    expect(restored).toMatchObject({ head: 0, snapshot: null, tail: [] })
    expect(texts(restored.quarantined)).toEqual(['chunk 2', 'chunk 3', 'entry 3'])
  })
})

describe('a damaged name', () => {
  test('is found again by the metadata', async () => {
    const before = await write(3, 1)
    await damage((raw) => raw.flip(nameKey('doc')))
    const { storage, errors } = await openStorage()
    expect(await storage.load('doc')).toEqual(inLaterOpening(before))
    expect(errors()).toHaveLength(1)
    expect(await storage.load('doc')).toEqual(inLaterOpening(before))
    expect(errors()).toHaveLength(1)
  })

  test('that leads to another document is not followed', async () => {
    await write(3)
    await damage((raw) => raw.put(nameKey('other'), encodeNumber(nameKey('other'), ID)))
    const { storage } = await openStorage()
    expect((await storage.load('other')).head).toBe(0)
    expect(await storage.stat('other')).toBeUndefined()
    expect(await storage.append([{ document: 'other', update: text('mine'), base: 0 }])).toMatchObject([{ seq: 1 }])
    expect(texts((await storage.load('doc')).tail)).toEqual(['entry 1', 'entry 2', 'entry 3'])
    expect(texts((await storage.load('other')).tail)).toEqual(['mine'])
  })
})

describe('what an interrupted compaction left', () => {
  const leftovers = () =>
    damage(async (raw) => (await raw.records()).filter(({ value }) => value.includes('left ')).length)

  test('is no damage, and a load removes it', async () => {
    const before = await write(4, 2)
    await damage((raw) => leaveChunks(raw, GENERATION + 1, 4))
    expect(await leftovers()).toBe(2)
    const { storage, errors } = await openStorage()
    expect(await storage.load('doc')).toEqual(inLaterOpening(before))
    await storage.remove('another') // behind the removal that the load has begun
    await storage.close()
    expect(await leftovers()).toBe(0)
    expect(storage.damage.records).toBe(0)
    expect(errors()).toEqual([])
  })

  test('never gets into the next snapshot', async () => {
    await write(4, 2)
    await damage((raw) => leaveChunks(raw, GENERATION + 1, 4))
    const { storage } = await openStorage()
    expect(await storage.compact('doc', { snapshot: snapshot(3, 'new'), replaces: 2 })).toBe(true)
    expect(await storage.load('doc')).toMatchObject({ head: 4, snapshot: snapshot(3, 'new'), tail: [{ seq: 4 }] })
    await storage.close()
    expect(await leftovers()).toBe(0)
  })
})

test('whatever bits of whatever records are flipped, every intact update is served or quarantined', async () => {
  const flips = fc.array(fc.tuple(fc.nat(), fc.nat()), { minLength: 1, maxLength: 4 })
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 8 }), fc.nat(8), flips, async (entries, compacted, places) => {
      const released: (() => Promise<void>)[] = []
      const release: Release = (undo) => released.push(undo)
      directory = await temporaryDirectory(release)
      try {
        const written = await write(entries, Math.min(entries, compacted))
        await damage(async (raw) => {
          const records = (await raw.records()).filter(({ key }) => key[0] === 2)
          for (const [record, byte] of places) {
            const { key, value } = records[record % records.length]
            await raw.flip(key, byte % value.length)
          }
        })
        const { storage } = await openStorage(release)
        const survived = await storage.load('doc')
        expect(isPrefix(survived, written)).toBe(true)
        const kept = [...allTexts(survived), ...texts(survived.quarantined)]
        const lost = allTexts(written).filter((update) => !kept.includes(update))
        expect(lost.length).toBeLessThanOrEqual(places.length)
        expect(await storage.load('doc')).toEqual(survived)
      } finally {
        for (const undo of released.reverse()) await undo()
      }
    }),
    { numRuns: runs(40) },
  )
})

test('whatever byte of a table is flipped, nothing wrong is served', async () => {
  const written = await write(200, 100)
  await (await openStorage()).storage.close() // brings what is in the log into tables
  const tables = (await readdir(directory)).filter((name) => name.endsWith('.ldb'))
  expect(tables.length).toBeGreaterThan(0)
  const served = { whole: 0, less: 0, refused: 0 }
  for (const table of tables) {
    const intact = await readFile(join(directory, table))
    const step = Math.ceil(intact.length / runs(150))
    for (let offset = 0; offset < intact.length; offset += step) {
      const flipped = Buffer.from(intact)
      flipped[offset] ^= 1 << (offset % 8)
      const copy = await copyWith(table, flipped)
      served[await outcomeOf(copy, written)] += 1
    }
  }
  expect(served.whole).toBeGreaterThan(0)
  expect(served.less).toBeGreaterThan(0)
})

/** Opens a damaged copy of the database and says what it serves of the document. */
async function outcomeOf(copy: string, written: StoredDocument): Promise<'whole' | 'less' | 'refused'> {
  const storage = new LevelStorage({ directory: copy, clock: new ManualClock() })
  try {
    await storage.open()
    const survived = await storage.load('doc')
    const [appended] = await storage.append([{ document: 'doc', update: text('new'), base: survived.head }])
    expect(isPrefix(survived, written)).toBe(true)
    expect(appended.seq).toBe(survived.head + 1)
    return survived.head === written.head ? 'whole' : 'less'
  } catch (error) {
    if (!(error instanceof CoeditError)) throw error
    expect(error.code).toBe('STORAGE_DAMAGED')
    return 'refused'
  } finally {
    await storage.close()
  }
}

async function copyWith(table: string, content: Buffer): Promise<string> {
  const copy = await temporaryDirectory(onTestFinished)
  for (const name of await readdir(directory)) {
    const bytes = name === table ? content : await readFile(join(directory, name))
    await writeFile(join(copy, name), bytes)
  }
  return copy
}

/** Two of three chunks, as a compaction that was killed leaves them. */
async function leaveChunks(raw: RawLevel, generation: number, snapshotSeq: number): Promise<void> {
  for (const index of [0, 1]) {
    const key = chunkKey(ID, generation, index)
    await raw.put(key, encodeChunk(key, { snapshotSeq, chunkCount: 3, update: text(`left ${index + 1}`) }))
  }
}

function isPrefix(part: StoredDocument, whole: StoredDocument): boolean {
  const all = allTexts(whole)
  return allTexts(part).every((update, index) => update === all[index])
}

function allTexts({ snapshot, tail }: StoredDocument): string[] {
  return [...(snapshot?.chunks ?? []).map((chunk) => Buffer.from(chunk).toString()), ...texts(tail)]
}

function texts(entries: readonly { update: Uint8Array }[]): string[] {
  return entries.map(({ update }) => Buffer.from(update).toString())
}

function text(value: string): Uint8Array {
  return new TextEncoder().encode(value)
}

function snapshot(seq: number, ...chunks: string[]): Snapshot {
  return { seq, chunks: chunks.map(text), stateVector: Uint8Array.of(1, 2, 3), deleteSet: Uint8Array.of(0) }
}

function numbers(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index)
}
