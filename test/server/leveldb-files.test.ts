import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { syncDirectory } from '../../server/src/storage/level/files.ts'
import { LevelStorage } from '../../server/src/storage/level/level-storage.ts'
import { recordingLog } from '../support/log.ts'
import { temporaryDirectory } from '../support/temporary.ts'

const DOCUMENT = 'doc'
const ENTRIES = 20

let directory: string

beforeEach(async () => {
  directory = await temporaryDirectory(onTestFinished)
  const { storage } = await openStorage()
  for (let entry = 0; entry < ENTRIES; entry++) {
    await storage.append([{ document: DOCUMENT, update: new Uint8Array(5_000), base: entry }])
  }
  await storage.close()
})

async function openStorage() {
  const { log, lines } = recordingLog()
  const storage = new LevelStorage({ directory, log })
  await storage.open()
  onTestFinished(() => storage.close())
  return { storage, errors: () => lines.filter(({ level }) => level === 'error') }
}

/** The path of the one file whose name begins or ends so. */
async function pathOf(part: string): Promise<string> {
  const names = (await readdir(directory)).filter((name) => name.startsWith(part) || name.endsWith(part))
  expect(names).toHaveLength(1)
  return join(directory, names[0])
}

test.each(['CURRENT', 'MANIFEST-'])(
  'without %s the directory is refused, and nothing in it is touched',
  async (name) => {
    const path = await pathOf(name)
    const content = await readFile(path)
    await rm(path)
    const before = await readdir(directory)
    await expect(openStorage()).rejects.toMatchObject({
      code: 'STORAGE_DAMAGED',
      message: expect.stringContaining(directory),
    })
    expect(await readdir(directory)).toEqual(before)

    await writeFile(path, content)
    const { storage } = await openStorage()
    expect((await storage.load(DOCUMENT)).head).toBe(ENTRIES)
  },
)

test('what LevelDB drops of its log as it opens is reported', async () => {
  const path = await pathOf('.log')
  const content = await readFile(path)
  content[content.length - 100] ^= 1
  await writeFile(path, content)
  const { storage, errors } = await openStorage()
  expect((await storage.load(DOCUMENT)).head).toBe(ENTRIES - 1)
  expect(errors()).toMatchObject([{ facts: { directory, bytes: expect.any(Number) } }])
})

test('nothing is reported of an intact directory', async () => {
  const { storage, errors } = await openStorage()
  expect((await storage.load(DOCUMENT)).head).toBe(ENTRIES)
  expect(errors()).toEqual([])
})

test('on Windows, which refuses to sync a directory, nobody asks it to', async () => {
  const platform = vi.spyOn(process, 'platform', 'get').mockReturnValue('win32')
  onTestFinished(() => platform.mockRestore())
  await syncDirectory(join(directory, 'not there'))
  platform.mockRestore()
  await expect(syncDirectory(join(directory, 'not there'))).rejects.toMatchObject({ code: 'ENOENT' })
})
