import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Appended } from '../../server/src/storage/document-store.ts'
import { LevelStorage } from '../../server/src/storage/level/level-storage.ts'
import { recordingLog } from '../support/log.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { runs } from '../support/runs.ts'
import { startStorageProcess } from '../support/storage-process.ts'
import { inLaterOpening } from '../support/stored-document.ts'
import { temporaryDirectory } from '../support/temporary.ts'
import { encodeValues, valuesIn } from '../support/values.ts'

const run = promisify(execFile)
const release = onTestFinished
const CLOSED = { code: 'STORAGE_CLOSED' }
/** Incompressible, and many of them fill LevelDB's log of 4 MiB, so that it must make a file. */
const LARGE = crypto.getRandomValues(new Uint8Array(60_000))

async function openStorage(directory: string, clock = new ManualClock()) {
  const { log, lines } = recordingLog()
  const storage = new LevelStorage({ directory, clock, log })
  await storage.open()
  release(() => storage.close())
  return { storage, clock, lines }
}

/** Appends until an append is stuck, which shows in a timer: it is to be tried again. */
async function appendUntilStuck({ storage, clock }: { storage: LevelStorage; clock: ManualClock }) {
  let acknowledged = 0
  for (;;) {
    const stuck = storage.append([{ document: 'doc', update: LARGE, base: acknowledged }])
    stuck.catch(() => undefined) // what becomes of it is up to the test
    const outcome = await Promise.race([stuck, clock.hasTimers()])
    if (!outcome) return { acknowledged, stuck }
    acknowledged += 1
  }
}

/** Lets the pending attempt happen, and waits until it has failed and the next one is planned. */
async function failOnce(clock: ManualClock): Promise<number> {
  const [delay] = clock.pending
  clock.advance(delay)
  await clock.hasTimers()
  return delay
}

describe('open', () => {
  test('rejects with STORAGE_LOCKED while another process has the directory open', async () => {
    const directory = await temporaryDirectory(release)
    const other = await startStorageProcess(directory, release, { writes: false })
    const rejection = expect(openStorage(directory)).rejects
    await rejection.toMatchObject({ code: 'STORAGE_LOCKED', message: expect.stringContaining(directory) })
    await other.kill()
    await expect(openStorage(directory)).resolves.toBeDefined()
  })

  test('rejects with STORAGE_UNWRITABLE where the directory cannot be one', async () => {
    const file = join(await temporaryDirectory(release), 'file')
    await writeFile(file, '')
    for (const directory of [file, join(file, 'below')]) {
      const rejection = expect(openStorage(directory)).rejects
      await rejection.toMatchObject({
        code: 'STORAGE_UNWRITABLE',
        message: expect.stringContaining(directory),
        cause: expect.any(Error),
      })
    }
  })

  test('can be tried again by a new storage after it was rejected, and closing the rejected one is fine', async () => {
    const directory = join(await temporaryDirectory(release), 'data')
    await writeFile(directory, '')
    const storage = new LevelStorage({ directory })
    await expect(storage.open()).rejects.toMatchObject({ code: 'STORAGE_UNWRITABLE' })
    await expect(storage.load('doc')).rejects.toMatchObject(CLOSED)
    await storage.close()
    await rm(directory)
    await expect(openStorage(directory)).resolves.toBeDefined()
  })

  test('makes the directory and its parents; the constructor makes nothing', async () => {
    const directory = join(await temporaryDirectory(release), 'a', 'b')
    const storage = new LevelStorage({ directory })
    expect(existsSync(directory)).toBe(false)
    await storage.open()
    expect(existsSync(directory)).toBe(true)
    await storage.close()
  })
})

describe('a directory that vanishes', () => {
  async function vanish() {
    const parent = await temporaryDirectory(release)
    const directory = join(parent, 'data')
    const elsewhere = join(parent, 'elsewhere')
    const opened = await openStorage(directory)
    await rename(directory, elsewhere)
    const { acknowledged, stuck } = await appendUntilStuck(opened)
    return { ...opened, directory, elsewhere, acknowledged, stuck }
  }

  test('degrades the storage: nothing is acknowledged, reads go on, and nothing is made in its place', async () => {
    const { storage, clock, directory, acknowledged, lines } = await vanish()
    expect(storage.status).toMatchObject({ state: 'degraded', since: clock.now() })
    expect(await failOnce(clock)).toBe(100)
    expect((await storage.load('doc')).head).toBe(acknowledged)
    expect(existsSync(directory)).toBe(false)
    expect(lines.filter(({ level }) => level === 'error')).toHaveLength(1)
    await rm(directory, { force: true })
  })

  test('is tried again after 100 ms, then twice as long each time, up to 2 s', async () => {
    const { clock } = await vanish()
    const delays: number[] = []
    for (let attempt = 0; attempt < 7; attempt++) delays.push(await failOnce(clock))
    expect(delays).toEqual([100, 200, 400, 800, 1600, 2000, 2000])
  })

  test('and comes back has everything, in order, each once', async () => {
    const { storage, clock, directory, elsewhere, acknowledged, stuck } = await vanish()
    const since = clock.now()
    await failOnce(clock)
    expect(storage.status).toMatchObject({ state: 'degraded', since })
    const queued = storage.append([{ document: 'doc', update: encodeValues([7]), base: acknowledged }])
    const compaction = { seq: acknowledged, chunks: [LARGE], stateVector: null, deleteSet: null }
    const compacted = storage.compact('doc', { snapshot: compaction, replaces: 0 })
    await rename(elsewhere, directory)
    clock.advance(200)
    expect(seqs(await stuck)).toEqual([acknowledged + 1])
    expect(seqs(await queued)).toEqual([acknowledged + 2])
    expect(await compacted).toBe(true)
    expect(storage.status).toEqual({ state: 'ok' })
    const stored = await storage.load('doc')
    await storage.close()
    const reopened = await openStorage(directory)
    expect(await reopened.storage.load('doc')).toEqual(inLaterOpening(stored))
    expect(stored.tail.map(({ seq }) => seq)).toEqual([acknowledged + 1, acknowledged + 2])
  })

  test('takes revocations when it is back: until then they are not said to be durable', async () => {
    const { storage, clock, directory, elsewhere, stuck } = await vanish()
    const revocation = { target: 'ada', time: 5 }
    let isStored = false
    const stored = storage.revocations.storeRevocations([revocation], []).then(() => {
      isStored = true
    })
    await failOnce(clock)
    expect(isStored).toBe(false)
    await rename(elsewhere, directory)
    clock.advance(200)
    await Promise.all([stuck, stored])
    await storage.close()
    const reopened = await openStorage(directory)
    expect(await reopened.storage.revocations.loadRevocations()).toEqual([revocation])
  })

  test('does not keep close waiting: what could not be written rejects with STORAGE_CLOSED', async () => {
    const { storage, directory, elsewhere, acknowledged, stuck } = await vanish()
    const queued = storage.append([{ document: 'doc', update: LARGE, base: acknowledged }])
    const revoked = storage.revocations.storeRevocations([{ target: 'ada', time: 5 }], [])
    const rejections = Promise.all([stuck, queued, revoked].map((write) => expect(write).rejects.toMatchObject(CLOSED)))
    await storage.close()
    await rejections
    await rename(elsewhere, directory)
    const reopened = await openStorage(directory)
    expect((await reopened.storage.load('doc')).head).toBe(acknowledged)
  })

  test('and is empty when it comes back is not written to: reads wait, until close or the right one', async () => {
    for (const isRight of [true, false]) {
      const { storage, clock, directory, elsewhere, acknowledged, stuck } = await vanish()
      await mkdir(directory)
      await failOnce(clock)
      const loading = storage.load('doc')
      if (!isRight) {
        const rejection = expect(loading).rejects.toMatchObject(CLOSED)
        await storage.close()
        await rejection
        continue
      }
      await rm(directory, { recursive: true })
      await rename(elsewhere, directory)
      clock.advance(200)
      expect((await loading).head).toBeGreaterThanOrEqual(acknowledged)
      expect(seqs(await stuck)).toEqual([acknowledged + 1])
    }
  })
})

test('a full disk: appends wait, reads go on, and with space again everything acknowledged is there', async (context) => {
  const mount = await temporaryDirectory(release)
  try {
    await run('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', mount])
  } catch (error) {
    return context.skip(`needs the right to mount a file system: ${String(error)}`)
  }
  release(async () => void (await run('umount', [mount])))

  const filler = join(mount, 'filler')
  await writeFile(filler, new Uint8Array(2_500_000))
  const directory = join(mount, 'data')
  const opened = await openStorage(directory)
  const { storage, clock } = opened
  const { acknowledged, stuck } = await appendUntilStuck(opened)
  expect(storage.status).toMatchObject({ state: 'degraded', error: expect.stringMatching(/space/) })
  await failOnce(clock)
  await failOnce(clock)
  expect((await storage.load('doc')).head).toBe(acknowledged)

  await rm(filler)
  clock.advance(2000)
  expect(seqs(await stuck)).toEqual([acknowledged + 1])
  expect(storage.status).toEqual({ state: 'ok' })
  await storage.append([{ document: 'doc', update: LARGE, base: acknowledged + 1 }])
  await storage.close()

  const reopened = await openStorage(directory)
  const { head, tail } = await reopened.storage.load('doc')
  expect(head).toBe(acknowledged + 2)
  expect(tail.every(({ update }) => Buffer.compare(update, LARGE) === 0)).toBe(true)
  await reopened.storage.close()
})

test('a killed process loses nothing that it acknowledged', async () => {
  const directory = await temporaryDirectory(release)
  const ledger = new Map<string, number[]>([
    ['a', []],
    ['b', []],
    ['c', []],
  ])
  for (let round = 0; round < runs(5); round++) {
    const writer = await startStorageProcess(directory, release, { writes: true })
    await new Promise<void>((resolve) => {
      let left = 60 + 13 * round
      writer.onReport((report) => {
        if (report.type !== 'acknowledged') return
        ledger.get(report.document)?.push(...report.values)
        left -= 1
        if (left === 0) resolve()
      })
    })
    await writer.kill()

    const { storage } = await openStorage(directory)
    for (const [document, acknowledged] of ledger) {
      const stored = valuesIn(await storage.load(document))
      expect(stored).toEqual(Array.from({ length: stored.length }, (_, value) => value))
      expect(stored.length).toBeGreaterThan(acknowledged.at(-1) ?? 0)
      expect(await pastOf(storage, document)).toEqual(stored)
    }
    expect(storage.damage.records).toBe(0)
    await storage.close()
  }
})

test('the directory is at most half as large again as what is in it, when it was compacted a hundred times', async () => {
  const directory = await temporaryDirectory(release)
  const { storage } = await openStorage(directory)
  const chunks = Array.from({ length: 5 }, () => LARGE)
  for (let round = 1; round <= 100; round++) {
    const entry = { document: 'doc', update: LARGE.subarray(0, 6_000), base: 10 * (round - 1) }
    await storage.append(Array.from({ length: 10 }, () => entry))
    const snapshot = { seq: 10 * round, chunks, stateVector: null, deleteSet: null }
    expect(await storage.compact('doc', { snapshot, replaces: 10 * (round - 1) })).toBe(true)
  }
  await storage.close()
  // In LOG LevelDB tells of its own work; it begins another one each time it is opened.
  const { stdout } = await run('du', ['-sk', '--exclude=LOG', directory])
  expect(Number.parseInt(stdout, 10) * 1024).toBeLessThan(1.5 * 5 * LARGE.length)
})

/** The values of all entries that ever were, each once, in segments or in the log. */
async function pastOf(storage: LevelStorage, document: string): Promise<number[]> {
  const { tail } = await storage.history.loadDated(document)
  const segments = (await storage.history.listSegments(document, undefined, 1000)).toReversed()
  const past = await Promise.all(segments.map(({ place }) => storage.history.readSegment(document, place)))
  const entries = [...past.flatMap((entries) => entries ?? []), ...tail]
  expect(seqs(entries)).toEqual(entries.map((_, index) => index + 1))
  return valuesIn({ snapshot: null, tail: entries })
}

function seqs(appended: readonly Pick<Appended, 'seq'>[]): number[] {
  return appended.map(({ seq }) => seq)
}
