import { readdir, rm, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { copyDatabase } from '../../server/src/storage/level/copy.ts'
import { entryKey } from '../../server/src/storage/level/keys.ts'
import { LevelStorage } from '../../server/src/storage/level/level-storage.ts'
import { validIncarnations } from '../conformance/storage-scene.ts'
import { BLOCK_BYTES, damageEntry, settle } from '../support/damaged-table.ts'
import { databaseOf } from '../support/database.ts'
import { isPending } from '../support/editing.ts'
import { edit, Writer } from '../support/edits.ts'
import { Ledger } from '../support/ledger.ts'
import { runCoedit, startServer } from '../support/process.ts'
import { Random } from '../support/random.ts'
import { RawLevel } from '../support/raw-level.ts'
import { runs } from '../support/runs.ts'
import { freshCopy } from '../support/stock-clients.ts'
import { storedDocument, withStored } from '../support/stored-document.ts'
import { temporaryDirectory } from '../support/temporary.ts'
import { elementsIn, Typist, textIn } from '../support/typist.ts'
import { encodeValues } from '../support/values.ts'
import { connectWitnessed, synced } from '../support/witness.ts'

const release = onTestFinished
const SEED = 20261121

describe('coedit backup of a running server', () => {
  const DOCUMENTS = ['one', 'two']
  const BODY = 'All of this was here before. '.repeat(3_000)
  /** So that chunks are written and entries removed while files are copied. */
  const COMPACTING = ['--compact-max-entries', '40', '--compact-min-bytes', '0', '--compact-interval-ms', '0']

  /** Somebody who types, and all edits of theirs that were acknowledged so far. */
  async function startTypist(url: string, document: string, random: Random) {
    const acknowledged: Uint8Array[] = []
    const ledger = new Ledger()
    const witness = {
      acknowledged(edits: readonly Uint8Array[]) {
        acknowledged.push(...edits)
        for (const update of edits) ledger.promise(update)
      },
    }
    const client = connectWitnessed({ release, url, document, witness, acknowledges: true })
    await synced(client)
    textIn(client.doc).insert(0, BODY)
    const typist = new Typist(document, client.doc, random)
    release(async () => typist.stop())
    typist.start()
    return { document, acknowledged, ledger }
  }

  test('holds every edit that was acknowledged before it began, and whole documents, and nobody stops typing', async () => {
    const random = new Random(SEED)
    const server = await startServer({ release, flags: COMPACTING })
    const writers = await Promise.all(DOCUMENTS.map((document) => startTypist(server.url, document, random)))
    const target = await temporaryDirectory(release)

    for (let round = 0; round < runs(2); round++) {
      await Promise.all(writers.map(({ ledger }) => ledger.grows(50)))
      const before = writers.map(({ acknowledged }) => [...acknowledged])
      const goOn = Promise.all(writers.map(({ ledger }) => ledger.grows(1)))
      const directory = join(target, `${round}`)
      const { code, stdout, stderr } = await runCoedit(release, ['backup', directory, '--data', server.data])
      expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: `2 documents copied to ${directory}\n`, stderr: '' })
      await goOn

      const restored = await startServer({ release, data: directory })
      for (const [index, document] of DOCUMENTS.entries()) {
        const doc = await freshCopy({ release, url: restored.url, document })
        const promised = new Ledger()
        for (const update of before[index]) promised.promise(update)
        expect(promised.promises).toBeGreaterThanOrEqual(50)
        expect(promised.brokenIn(doc, elementsIn(doc))).toEqual([])
        expect(isPending(doc)).toBe(false)
      }
      await restored.kill('SIGTERM')
    }
    expect(await readdir(target)).toHaveLength(runs(2))
  })
})

/** Writes without a pause, and so much that LevelDB makes and removes files all the time. */
class Flood {
  static readonly #ENTRY_BYTES = 100_000
  static readonly #COMPACT_EVERY = 20
  readonly #storage: LevelStorage
  #acknowledged = 0
  #isOver = false
  readonly over: Promise<void>

  constructor(storage: LevelStorage) {
    this.#storage = storage
    this.over = this.#run()
  }

  /** How many entries are durable. Each begins with its number, and so does a snapshot. */
  get acknowledged(): number {
    return this.#acknowledged
  }

  async stop(): Promise<void> {
    this.#isOver = true
    await this.over
  }

  async #run(): Promise<void> {
    const padding = new Uint8Array(Flood.#ENTRY_BYTES)
    for (let n = 1; !this.#isOver; n++) {
      const update = Buffer.concat([encodeValues([n]), padding])
      await this.#storage.append([{ document: 'doc', update, base: n - 1 }])
      this.#acknowledged = n
      if (n % Flood.#COMPACT_EVERY > 0) continue
      const snapshot = { seq: n, chunks: [encodeValues([n])], stateVector: null, deleteSet: null }
      await this.#storage.compact('doc', { snapshot, replaces: n - Flood.#COMPACT_EVERY })
    }
  }
}

test('a database whose files change all the time is copied whole', async () => {
  const data = await temporaryDirectory(release)
  const copies = await temporaryDirectory(release)
  const storage = new LevelStorage({ directory: data })
  await storage.open()
  const flood = new Flood(storage)
  release(async () => {
    await flood.stop()
    await storage.close()
  })
  const copy = join(copies, 'copy')
  // Fifty megabytes: LevelDB begins a new log after each four.
  while (flood.acknowledged < runs(500)) {
    const { acknowledged } = flood
    await copyDatabase(data, copy)
    const { head, snapshot, tail, quarantined } = await storedDocument(copy, 'doc')
    expect(head).toBeGreaterThanOrEqual(acknowledged)
    expect(quarantined).toEqual([])
    for (const { seq, update } of tail) expect(numberOf(update)).toBe(seq)
    if (snapshot) expect(snapshot.chunks.map(numberOf)).toEqual([snapshot.seq])
    await rm(copy, { recursive: true })
  }
})

function numberOf(update: Uint8Array): number {
  return Buffer.from(update).readUInt32BE()
}

describe('coedit backup', () => {
  test('copies nothing to where something is', async () => {
    const data = await databaseOf(release, { notes: [edit('text').update] })
    const { code, stderr } = await runCoedit(release, ['backup', data, '--data', data])
    expect(code).toBe(1)
    expect(stderr).toBe(`coedit: ${data} exists: name a directory that does not. (DESTINATION_EXISTS)\n`)
  })

  test('makes a copy whose numbers are not taken for those of the original', async () => {
    const data = await databaseOf(release, { notes: [edit('text').update] })
    const directory = join(await temporaryDirectory(release), 'backup')
    expect(await runCoedit(release, ['backup', directory, '--data', data])).toMatchObject({ code: 0 })
    const original = await storedDocument(data, 'notes')
    const copied = await storedDocument(directory, 'notes')
    expect(copied).toMatchObject({ head: original.head, tail: original.tail })
    expect(validIncarnations(copied)).not.toContain(original.incarnation)
    expect(validIncarnations(original)).not.toContain(copied.incarnation)
  })

  test('copies revocations', async () => {
    const data = await databaseOf(release, { notes: [edit('text').update] })
    const revocation = { target: 'ada', time: 5 }
    await withStored(data, (storage) => storage.revocations.storeRevocations([revocation], []))
    const directory = join(await temporaryDirectory(release), 'backup')
    expect(await runCoedit(release, ['backup', directory, '--data', data])).toMatchObject({ code: 0 })
    expect(await withStored(directory, (storage) => storage.revocations.loadRevocations())).toEqual([revocation])
  })

  test('says in one line why it cannot write', async () => {
    const data = await databaseOf(release, { notes: [edit('text').update] })
    const { code, stderr } = await runCoedit(release, ['backup', join(data, 'no', 'such', 'backup'), '--data', data])
    expect(code).toBe(1)
    expect(stderr).toMatch(/^coedit: ENOENT: .* \(FILE_FAILED\)\n$/)
  })

  test('names damaged documents, whose intact part it has copied', async () => {
    const writer = new Writer()
    const updates = ['one ', 'two ', 'three'].map((text) => writer.insert(text).update)
    const data = await databaseOf(release, { intact: [edit('text').update], notes: updates })
    await RawLevel.use(data, (raw) => raw.flip(entryKey(2, 2)))
    const directory = join(await temporaryDirectory(release), 'backup')
    const exit = await runCoedit(release, ['backup', directory, '--data', data, '--log-level', 'silent'])
    expect(exit).toMatchObject({ code: 1, stdout: `2 documents copied to ${directory}\n` })
    expect(exit.stderr).toMatch(/^coedit: .*damaged: 'notes'\..* \(STORAGE_DAMAGED\)\n$/)
    expect(await storedDocument(directory, 'notes')).toMatchObject({ head: 1, quarantined: [{ update: updates[2] }] })
  })

  test('copies a database of which LevelDB cannot read a document, and names it', async () => {
    const updates = Array.from({ length: 3 }, () => edit('x'.repeat(BLOCK_BYTES)).update)
    const data = await databaseOf(release, { intact: [edit('text').update], notes: updates })
    await settle(data)
    await damageEntry(data, 2, 2)
    const directory = join(await temporaryDirectory(release), 'backup')
    const exit = await runCoedit(release, ['backup', directory, '--data', data, '--log-level', 'silent'])
    expect(exit).toMatchObject({ code: 1, stdout: `2 documents copied to ${directory}\n` })
    expect(exit.stderr).toMatch(/^coedit: .*damaged: 'notes'\..* \(STORAGE_DAMAGED\)\n$/)
    expect((await storedDocument(directory, 'intact')).head).toBe(1)
  })

  test('leaves nothing of a copy that cannot be read', async () => {
    const data = await databaseOf(release, { notes: [edit('text').update] })
    for (const name of await readdir(data)) if (name.startsWith('MANIFEST')) await truncate(join(data, name), 10)
    const target = await temporaryDirectory(release)
    const exit = await runCoedit(release, ['backup', join(target, 'backup'), '--data', data])
    expect(exit.code).toBe(1)
    expect(exit.stderr).toMatch(/\(STORAGE_DAMAGED\)\n$/)
    expect(await readdir(target)).toEqual([])
  })
})
