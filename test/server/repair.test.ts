import { cp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { systemClock } from '../../server/src/common/timing.ts'
import { repairDatabase } from '../../server/src/repair/repair.ts'
import { chunkKey, entryKey, metadataKey, nameKey, revocationKey } from '../../server/src/storage/level/keys.ts'
import { LevelStorage } from '../../server/src/storage/level/level-storage.ts'
import { databaseOf } from '../support/database.ts'
import { docOf } from '../support/editing.ts'
import { Writer } from '../support/edits.ts'
import { recordingLog } from '../support/log.ts'
import { runCoedit, startServer } from '../support/process.ts'
import { Random } from '../support/random.ts'
import { RawLevel } from '../support/raw-level.ts'
import { cases, runs } from '../support/runs.ts'
import { allRead, freshCopy, stockClient, textOf } from '../support/stock-clients.ts'
import { storedDocument, withStored } from '../support/stored-document.ts'
import { temporaryDirectory } from '../support/temporary.ts'
import { encodeValues, valuesIn } from '../support/values.ts'

const release = onTestFinished

/** The ids that documents get, in the order of their first entries. */
const [FIRST, SECOND] = [1, 2]

function runRepair(data: string) {
  return runCoedit(release, ['repair', '--data', data, '--log-level', 'silent'])
}

/** Longer than a block of LevelDB's log. */
const OTHER = 'other '.repeat(10_000)

async function write() {
  const [notes, other] = [new Writer(), new Writer()]
  const updates = ['one ', 'two ', 'three ', 'four '].map((text) => notes.insert(text).update)
  const data = await databaseOf(release, { notes: updates, other: [other.insert(OTHER).update] })
  return { data, notes }
}

/** The bytes of all files in a directory, by name. */
async function contentsOf(directory: string): Promise<Record<string, Buffer>> {
  const names = (await readdir(directory)).sort()
  return Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await readFile(join(directory, name))] as const)),
  )
}

/** Where coedit repair put the files that were there before. */
async function formerFiles(data: string): Promise<string> {
  const directories = (await readdir(data, { withFileTypes: true })).filter((entry) => entry.isDirectory())
  expect(directories.map(({ name }) => name)).toEqual([expect.stringMatching(/^before-repair-/)])
  return join(data, directories[0].name)
}

async function textIn(data: string, document: string): Promise<string> {
  const { tail } = await storedDocument(data, document)
  return textOf({ doc: docOf(...tail.map(({ update }) => update)) }).toString()
}

describe('coedit repair', () => {
  test('keeps the files as they were, finds nothing to repair, and says both', async () => {
    const { data } = await write()
    const { incarnation } = await storedDocument(data, 'notes')
    const before = await contentsOf(data)
    const { code, stdout, stderr } = await runRepair(data)
    const former = await formerFiles(data)
    expect({ code, stdout, stderr }).toEqual({
      code: 0,
      stdout: `2 documents, 2 intact\n2 files, 0 damaged; as they were they are in ${former}\n`,
      stderr: '',
    })
    const kept = await contentsOf(former)
    expect(before).toMatchObject(kept)
    expect(Object.keys(kept)).toEqual(Object.keys(before).filter((name) => !/^LO/.test(name)))
    expect(await textIn(data, 'notes')).toBe('one two three four ')
    expect(await textIn(data, 'other')).toBe(OTHER)
    expect((await storedDocument(data, 'notes')).incarnation).not.toBe(incarnation)
  })

  test('sets aside what follows a damaged entry; clients that have it bring it back', async () => {
    const { data, notes } = await write()
    await RawLevel.use(data, (raw) => raw.flip(entryKey(FIRST, 2)))
    expect((await runRepair(data)).stdout).toMatch(
      /^'notes': 1 damaged record, 1 hole, 2 updates in quarantine\n2 documents, 1 intact\n/m,
    )
    expect(await textIn(data, 'notes')).toBe('one ')

    const server = await startServer({ release, data })
    const reader = stockClient({ release, url: server.url, document: 'notes' })
    await allRead([reader], 'one ')
    stockClient({ release, url: server.url, document: 'notes', doc: notes.doc })
    await allRead([reader], 'one two three four ')
    await server.kill('SIGTERM')
    expect((await storedDocument(data, 'notes')).quarantined).toEqual([])
  })

  test('counts holes where records are missing', async () => {
    const { data } = await write()
    await RawLevel.use(data, (raw) => raw.remove(entryKey(FIRST, 1)))
    await RawLevel.use(data, (raw) => raw.remove(entryKey(FIRST, 3)))
    expect((await runRepair(data)).stdout).toMatch(/^'notes': 2 holes, 2 updates in quarantine$/m)
    expect((await runRepair(data)).stdout).toMatch(/^'notes': 2 updates in quarantine$/m)
  })

  test('counts a hole at the end of a snapshot', async () => {
    const { data } = await write()
    const storage = new LevelStorage({ directory: data })
    await storage.open()
    const { tail } = await storage.load('notes')
    const chunks = tail.slice(0, 3).map(({ update }) => update)
    await storage.compact('notes', { snapshot: { seq: 3, chunks, stateVector: null, deleteSet: null }, replaces: 0 })
    await storage.close()
    await RawLevel.use(data, (raw) => raw.remove(chunkKey(FIRST, 1, 2)))
    expect((await runRepair(data)).stdout).toMatch(/^'notes': 1 hole, 1 update in quarantine$/m)
  })

  test('restores a name from the metadata, and metadata from the rest', async () => {
    const { data } = await write()
    await RawLevel.use(data, async (raw) => {
      await raw.remove(nameKey('notes'))
      await raw.flip(metadataKey(SECOND))
    })
    const { stdout } = await runRepair(data)
    expect(stdout).toMatch(/^'notes': restored without a loss\n'other': 1 damaged record\n2 documents, 0 intact\n/m)
    expect(await textIn(data, 'notes')).toBe('one two three four ')
    expect(await textIn(data, 'other')).toBe(OTHER)
  })

  test('calls a document by its number that has lost its name', async () => {
    const { data } = await write()
    await RawLevel.use(data, async (raw) => {
      await raw.remove(nameKey('notes'))
      await raw.remove(metadataKey(FIRST))
    })
    expect((await runRepair(data)).stdout).toMatch(/^'recovered-1': restored without a loss$/m)
    expect(await textIn(data, 'recovered-1')).toBe('one two three four ')
  })

  test('calls a document by its number whose name another one has', async () => {
    const { data } = await write()
    await RawLevel.use(data, (raw) => raw.remove(nameKey('notes')))
    const storage = new LevelStorage({ directory: data })
    await storage.open()
    await storage.append([{ document: 'notes', update: new Writer().insert('newer').update, base: 0 }])
    await storage.close()
    expect((await runRepair(data)).stdout).toMatch(/^'recovered-1': restored without a loss\n3 documents, 2 intact$/m)
    expect(await textIn(data, 'recovered-1')).toBe('one two three four ')
    expect(await textIn(data, 'notes')).toBe('newer')
  })

  test('removes a name that nothing is left of', async () => {
    const { data } = await write()
    await RawLevel.use(data, async (raw) => {
      await raw.remove(entryKey(SECOND, 1))
      await raw.remove(metadataKey(SECOND))
    })
    expect((await runRepair(data)).stdout).toMatch(/^'other': nothing is left of it\n2 documents, 1 intact$/m)
    expect((await runRepair(data)).stdout).toMatch(/^1 document, 1 intact$/m)
  })

  const roots: [string, (data: string, manifest: string) => Promise<void>][] = [
    ['a MANIFEST cut short', (_, manifest) => truncate(manifest, 20)],
    ['no MANIFEST', (_, manifest) => rm(manifest)],
    ['no CURRENT', (data) => rm(join(data, 'CURRENT'))],
    ['a CURRENT that leads nowhere', (data) => writeFile(join(data, 'CURRENT'), 'MANIFEST-999999\n')],
  ]
  test.each(cases(roots.slice(0, 2), roots.slice(2)))(
    'rebuilds a database with %s, which no server opens',
    async (_, damage) => {
      const { data } = await write()
      const manifest = (await readFile(join(data, 'CURRENT'), 'utf8')).trim()
      await damage(data, join(data, manifest))
      const refused = await runCoedit(release, ['--port', '0', '--data', data])
      expect(refused.stderr).toMatch(/\(STORAGE_DAMAGED\)\n$/)
      const { code, stdout } = await runRepair(data)
      expect(code).toBe(0)
      expect(stdout).toMatch(/^2 documents, 2 intact$/m)
      const server = await startServer({ release, data })
      const doc = await freshCopy({ release, url: server.url, document: 'notes' })
      expect(textOf({ doc }).toString()).toBe('one two three four ')
    },
  )

  test('keeps revocations, and in their place one of everything where they are damaged', async () => {
    const { data } = await write()
    const [ada, eve] = ['ada', 'eve'].map((target, index) => ({ target, time: 5 + index }))
    await withStored(data, (storage) => storage.revocations.storeRevocations([ada, eve], []))
    await runRepair(data)
    expect(await withStored(data, (storage) => storage.revocations.loadRevocations())).toEqual([ada, eve])
    await RawLevel.use(data, (raw) => raw.flip(revocationKey('ada')))
    await runRepair(data)
    const everything = { target: null, time: expect.any(Number) }
    expect(await withStored(data, (storage) => storage.revocations.loadRevocations())).toEqual([eve, everything])
  })

  test('leaves no empty database where it was cut off before the new files were moved', async () => {
    const { data } = await write()
    for (const name of await readdir(data)) if (name !== 'CURRENT') await rm(join(data, name))
    const { code, stderr } = await runCoedit(release, ['--port', '0', '--data', data])
    expect(code).toBe(1)
    expect(stderr).toMatch(/^coedit: .*MANIFEST-.* \(STORAGE_\w+\)\n$/)
    expect((await readdir(data)).filter((name) => /^MANIFEST|ldb$/.test(name))).toEqual([])
  })

  test('leaves a database alone that a server has open', async () => {
    const { data } = await write()
    const server = await startServer({ release, data })
    const before = await contentsOf(data)
    const exit = await runRepair(data)
    expect(exit).toMatchObject({ code: 1, stdout: '' })
    expect(exit.stderr).toMatch(new RegExp(`^coedit: .*${data}.* \\(STORAGE_LOCKED\\)\n$`))
    expect(await contentsOf(data)).toEqual(before)
    expect((await fetch(`${server.url}health`)).status).toBe(200)
  })
})

describe('whatever happens to one of the files', () => {
  const DOCUMENTS = ['a', 'b', 'c']
  const ENTRIES = 400
  const COMPACTED = 150

  /** Documents with snapshots and tails, in tables and in a log. */
  async function writeMany(): Promise<string> {
    const directory = await temporaryDirectory(release)
    for (const part of [0, 1]) {
      const storage = new LevelStorage({ directory })
      await storage.open()
      for (const document of DOCUMENTS) {
        const base = (part * ENTRIES) / 2
        const entries = Array.from({ length: ENTRIES / 2 }, (_, index) => encodeValues([base + index]))
        await storage.append(entries.map((update) => ({ document, update, base })))
        if (part > 0) continue
        const chunks = [0, 50, 100].map((first) => encodeValues(Array.from({ length: 50 }, (_, i) => first + i)))
        await storage.compact(document, {
          snapshot: { seq: COMPACTED, chunks, stateVector: null, deleteSet: null },
          replaces: 0,
        })
      }
      await storage.close()
    }
    return directory
  }

  async function damage(path: string, random: Random): Promise<void> {
    const content = await readFile(path)
    const choice = random.below(3)
    if (choice === 0) await rm(path)
    else if (choice === 1) await truncate(path, random.below(content.length + 1))
    else {
      for (let flips = 1 + random.below(20); flips > 0; flips--) {
        content[random.below(content.length)] ^= 1 << random.below(8)
      }
      await writeFile(path, content)
    }
  }

  test('the database can be opened afterwards, and serves nothing wrong and most of it', async () => {
    const written = await writeMany()
    const random = new Random(20261121)
    let damaged = 0
    let whole = 0
    for (let round = 0; round < runs(40); round++) {
      const directory = await temporaryDirectory(release)
      await cp(written, directory, { recursive: true })
      const files = (await readdir(directory)).filter((name) => /^(CURRENT|MANIFEST-.*|.*\.(ldb|log))$/.test(name))
      const file = random.pick(files.sort())
      await damage(join(directory, file), random)
      const { log } = recordingLog()
      const context = { directory, clock: systemClock, log, newIncarnation: () => 1 + random.below(2 ** 31) }
      damaged += (await repairDatabase(context, () => undefined)).damaged
      for (const document of DOCUMENTS) {
        const values = valuesIn(await storedDocument(directory, document))
        expect(values, `'${document}' after damage to ${file} in round ${round}`).toEqual(
          values.map((_, index) => index),
        )
        if (values.length === ENTRIES) whole++
      }
    }
    expect(damaged).toBeGreaterThan(0)
    expect(whole).toBeGreaterThan(runs(40))
  })
})
