import { cp, readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { LevelStorage } from '../../server/src/storage/level/level-storage.ts'
import { validIncarnations } from '../conformance/storage-scene.ts'
import { fileWith } from '../support/files.ts'
import { temporaryDirectory } from '../support/temporary.ts'

const DOCUMENT = 'doc'
/** Longer than a block of LevelDB's log, which is what LevelDB drops where a bit of it has flipped. */
const LARGE = 40_000

let directory: string

beforeEach(async () => {
  directory = join(await temporaryDirectory(onTestFinished), 'data')
})

async function open(): Promise<LevelStorage> {
  const storage = new LevelStorage({ directory })
  await storage.open()
  onTestFinished(() => storage.close())
  return storage
}

/** Appends an update of that many bytes; gives the incarnation under whose numbers it is. */
async function append(storage: LevelStorage, bytes = 1): Promise<number> {
  const [{ incarnation }] = await storage.append([{ document: DOCUMENT, update: new Uint8Array(bytes), base: 0 }])
  return incarnation
}

/** From now on it is about what a process that is killed now leaves. */
async function kill(): Promise<void> {
  const left = join(await temporaryDirectory(onTestFinished), 'left')
  await cp(directory, left, { recursive: true })
  directory = left
}

async function flip(path: string, at: number): Promise<void> {
  const content = await readFile(path)
  content[at] ^= 1
  await writeFile(path, content)
}

/** Under which incarnations numbers are valid in a new opening. */
async function validIn(storage: LevelStorage): Promise<readonly number[]> {
  return validIncarnations(await storage.load(DOCUMENT))
}

test('numbers stay valid over openings that end in order', async () => {
  const first = await open()
  const incarnation = await append(first)
  await first.close()
  const second = await open()
  const next = await append(second)
  await second.close()
  const valid = await validIn(await open())
  expect(valid).toEqual([expect.any(Number), next, incarnation])
})

test('numbers of an opening that was cut off are not valid, for what was lost is given anew; those before it are', async () => {
  const first = await open()
  const incarnation = await append(first)
  await first.close()
  const lost = await append(await open())
  await kill()
  const valid = await validIn(await open())
  expect(valid).toContain(incarnation)
  expect(valid).not.toContain(lost)
})

test.each([
  ['its end', (bytes: number) => bytes - 1],
  ['all but a few bytes', () => 20],
  ['all', () => 0],
])('numbers are not valid where the log has lost %s', async (_, left) => {
  const first = await open()
  await append(first)
  await first.close()
  const second = await open()
  const lost = await append(second)
  await second.close()
  const log = await fileWith(directory, '.log')
  await truncate(log, left((await readFile(log)).length))
  expect(await validIn(await open())).not.toContain(lost)
})

test('numbers are not valid where LevelDB dropped a part of the log, whose end is there, then or later', async () => {
  const first = await open()
  const lost = await append(first, LARGE)
  await append(first, LARGE)
  await first.close()
  await flip(await fileWith(directory, '.log'), 1.5 * LARGE)
  const second = await open()
  expect(second.damage.droppedBytes).toBeGreaterThan(0)
  expect(await validIn(second)).not.toContain(lost)
  await kill()
  const third = await open()
  expect(third.damage.droppedBytes).toBe(0)
  expect(await validIn(third)).not.toContain(lost)
})

test('numbers of two that go on from the same copy are told apart', async () => {
  const first = await open()
  const incarnation = await append(first)
  await first.close()
  const original = directory
  await kill()
  const inCopy = await append(await open())
  directory = original
  const valid = await validIn(await open())
  expect(valid).toContain(incarnation)
  expect(valid).not.toContain(inCopy)
})

test('sixteen openings are remembered', async () => {
  const incarnations: number[] = []
  for (let opening = 0; opening < 18; opening++) {
    const storage = await open()
    incarnations.unshift(await append(storage))
    await storage.close()
  }
  expect((await validIn(await open())).slice(1)).toEqual(incarnations.slice(0, 16))
})
