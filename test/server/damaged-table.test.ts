import { expect, onTestFinished, test } from 'vitest'
import { BLOCK_BYTES, damageEntry, settle } from '../support/damaged-table.ts'
import { databaseOf } from '../support/database.ts'
import { Writer } from '../support/edits.ts'
import { step2, update } from '../support/messages.ts'
import { runCoedit, type ServerProcess, startServer } from '../support/process.ts'
import { connectRaw, store } from '../support/raw-client.ts'
import { freshCopy, textOf } from '../support/stock-clients.ts'

const release = onTestFinished

/** In the order of their ids, so that the keys of the damaged one lie between those of the others. */
const DOCUMENTS = ['first', 'broken', 'last']
const BROKEN_ID = 2
const LINE = 'x'.repeat(BLOCK_BYTES)
const LARGE = 'x'.repeat(60_000)
/** Far more than LevelDB takes before it compacts. */
const MOST_EDITS = 1_000
const WINDOW = 20

/** A database in tables, one of which LevelDB cannot read in the place where the second entry of 'broken' is. */
async function damagedDatabase(): Promise<string> {
  const entries = () => {
    const writer = new Writer()
    return Array.from({ length: 4 }, () => writer.insert(LINE).update)
  }
  const data = await databaseOf(release, Object.fromEntries(DOCUMENTS.map((name) => [name, entries()])))
  await settle(data)
  await damageEntry(data, BROKEN_ID, 2)
  return data
}

async function healthOf({ url }: ServerProcess): Promise<{ status: number; body: unknown }> {
  const response = await fetch(`${url}health`)
  return { status: response.status, body: await response.json() }
}

function errorsIn(server: ServerProcess): { code?: string; message?: string }[] {
  const lines = server.stderr().trimEnd().split('\n').filter(Boolean)
  return lines
    .map((line) => JSON.parse(line))
    .filter(({ level }) => level === 50)
    .map(({ err }) => err ?? {})
}

test('a document that LevelDB cannot read is refused, and costs no other one; what to run is logged once', async () => {
  const data = await damagedDatabase()
  const server = await startServer({ release, data })
  for (let attempt = 0; attempt < 3; attempt++) {
    const refused = await connectRaw({ release, url: server.url, document: 'broken' })
    expect(await refused.closed).toMatchObject({ code: 1011 })
    expect(refused.messages).toEqual([])
  }
  for (const document of ['first', 'last', 'new']) {
    await store({ release, url: server.url, document }, new Writer().insert('still written').update)
    const text = textOf({ doc: await freshCopy({ release, url: server.url, document }) }).toString()
    expect(text).toContain('still written')
  }
  expect(await healthOf(server)).toEqual({
    status: 200,
    body: { status: 'ok', damage: { droppedBytes: 0, records: 0, failedReads: expect.any(Number), lostEntries: 0 } },
  })
  const exit = await server.kill('SIGTERM')
  expect(exit.code).toBe(0)
  expect(errorsIn(server)).toMatchObject([
    { code: 'STORAGE_DAMAGED', message: expect.stringMatching(/run coedit repair/) },
  ])

  expect((await runCoedit(release, ['repair', '--data', data])).code).toBe(0)
  const repaired = await startServer({ release, data })
  const doc = await freshCopy({ release, url: repaired.url, document: 'broken' })
  expect(textOf({ doc }).toString().startsWith(LINE)).toBe(true)
})

test('what LevelDB no longer takes is neither acknowledged nor lost: the server says so and stays as it is', async () => {
  const data = await damagedDatabase()
  const server = await startServer({ release, data })
  const settled = server.logs('nothing is stored any more').then(() => true)
  const writers = await Promise.all(['first', 'last'].map((document) => Flood.start(server.url, document)))
  await Promise.all(writers.map((writer) => writer.writeUntil(settled)))

  const health = await healthOf(server)
  expect(health).toMatchObject({
    status: 503,
    body: { status: 'degraded', reason: expect.stringMatching(/STORAGE_DAMAGED: .*run coedit repair/) },
  })
  expect(JSON.stringify(health)).not.toContain(data)
  // Reading goes on, and nothing else happens: nobody is closed, nothing is tried again.
  const logged = server.stderr()
  for (const writer of writers) {
    const doc = await freshCopy({ release, url: server.url, document: writer.document })
    expect(textOf({ doc }).length).toBeGreaterThanOrEqual(writer.acknowledgedCharacters)
    expect(writer.isConnected).toBe(true)
  }
  expect(server.stderr()).toBe(logged)
  expect(await healthOf(server)).toEqual(health)
  await server.kill()

  expect((await runCoedit(release, ['repair', '--data', data])).code).toBe(0)
  const repaired = await startServer({ release, data })
  for (const writer of writers) {
    const doc = await freshCopy({ release, url: repaired.url, document: writer.document })
    expect(textOf({ doc }).length).toBeGreaterThanOrEqual(writer.acknowledgedCharacters)
  }
  expect((await healthOf(repaired)).status).toBe(200)
})

/** Somebody who writes a lot, and counts what was acknowledged. */
class Flood {
  readonly document: string
  readonly #client: Awaited<ReturnType<typeof connectRaw>>
  readonly #writer = new Writer()

  private constructor(document: string, client: Awaited<ReturnType<typeof connectRaw>>) {
    this.document = document
    this.#client = client
  }

  static async start(url: string, document: string): Promise<Flood> {
    const client = await connectRaw({ release, url, document, protocols: ['coedit.v1'] })
    client.send(step2())
    await client.until('the first Step2 counts', () => client.acknowledged === 1)
    return new Flood(document, client)
  }

  get isConnected(): boolean {
    return this.#client.isOpen
  }

  get acknowledgedCharacters(): number {
    return LARGE.length * ((this.#client.acknowledged ?? 1) - 1)
  }

  async writeUntil(settled: Promise<boolean>): Promise<void> {
    for (let edits = 1; edits <= MOST_EDITS; edits++) {
      this.#client.send(update(this.#writer.insert(LARGE).update))
      const isInTime = () => (this.#client.acknowledged ?? 0) > edits - WINDOW
      const taken = this.#client.until('edits are acknowledged', isInTime).then(() => false)
      if (await Promise.race([settled, taken])) return
    }
    throw new Error(`${MOST_EDITS} edits were taken`)
  }
}
