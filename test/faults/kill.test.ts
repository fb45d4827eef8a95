import { setTimeout as pause } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { describe, expect, onTestFinished, test } from 'vitest'
import type * as Y from 'yjs'
import { LevelStorage } from '../../server/src/storage/leveldb.ts'
import { Ledger } from '../support/ledger.ts'
import { startServer } from '../support/process.ts'
import { startProxy } from '../support/proxy.ts'
import { Random } from '../support/random.ts'
import { runs } from '../support/runs.ts'
import { freshCopy } from '../support/stock-clients.ts'
import { elementsIn, Typist, textIn } from '../support/typist.ts'
import { untilChanged } from '../support/until.ts'
import { connectWitnessed, synced, type Witness, type WitnessedClient } from '../support/witness.ts'

const release = onTestFinished
/** Twenty starts of a process take a while where other tests need the cores as well. */
const TIME_LIMIT = { timeout: 180_000 }
const DOCUMENTS = ['one', 'two', 'three']
/** By document. The first gets no acknowledgements: it is as stock as they come. */
const CLIENTS = 2
const KILLS = 20
/** At most so many promises are waited for between two kills. */
const MOST_PROMISES = 60
/** Enough that a compaction takes a while, so that many kills fall into one. */
const BODY = 'All of this was here before. '.repeat(3_000)
/** Each document is compacted all the time, into several chunks. */
const COMPACTING = [
  '--compact-max-entries',
  '40',
  '--compact-min-bytes',
  '0',
  '--chunk-bytes',
  '16384',
  '--compact-interval-ms',
  '0',
]

/** A document with those who edit it, and what they were promised. */
interface Circle {
  readonly name: string
  readonly ledger: Ledger
  readonly clients: readonly WitnessedClient[]
  readonly typists: readonly Typist[]
}

function openCircle(name: string, url: string, random: Random, witnessOf: (ledger: Ledger) => Witness): Circle {
  const ledger = new Ledger()
  const clients = Array.from({ length: CLIENTS }, (_, index) =>
    connectWitnessed({ release, url, document: name, witness: witnessOf(ledger), acknowledges: index > 0 }),
  )
  const typists = clients.map(({ doc }, index) => new Typist(`${name}-${index}`, doc, random))
  release(async () => stopTyping(typists))
  return { name, ledger, clients, typists }
}

function stopTyping(typists: readonly Typist[]): void {
  for (const typist of typists) typist.stop()
}

function promiseAll(ledger: Ledger, edits: readonly Uint8Array[]): void {
  for (const edit of edits) ledger.promise(edit)
}

/** One for each time that a test with random input is run. */
function times(n: number): number[] {
  return Array.from({ length: runs(n) }, (_, index) => index + 1)
}

function printedSeed(): number {
  const seed = Math.floor(Math.random() * 2 ** 32)
  console.log(`seed ${seed}`)
  return seed
}

/** Resolves when all clients of the document show the same, which is what was written. */
function converged({ name, typists }: Circle): Promise<void> {
  const docs = typists.map(({ doc }) => doc)
  const total = typists.reduce((sum, { written }) => sum + written.length, 0)
  return untilChanged(docs, `the clients of '${name}' show the same`, () => {
    const [first, ...others] = docs
    if (docs.some((doc) => elementsIn(doc).length !== total)) return false
    return others.every((doc) => isDeepStrictEqual(contentOf(doc), contentOf(first)))
  })
}

function contentOf(doc: Y.Doc | undefined): unknown {
  return doc && { text: textIn(doc).toString(), elements: elementsIn(doc).toArray() }
}

describe('kill -9', () => {
  test.for(times(1))('loses nothing that was acknowledged or shown (%i)', TIME_LIMIT, async () => {
    const random = new Random(printedSeed())
    let server = await startServer({ release, flags: COMPACTING })
    const proxy = await startProxy({ release, target: server.url })
    const circles = DOCUMENTS.map((name) =>
      openCircle(name, proxy.url, random, (ledger) => ({
        acknowledged: (edits) => promiseAll(ledger, edits),
        shown: (update) => ledger.promise(update),
      })),
    )
    for (const { clients, typists } of circles) {
      await Promise.all(clients.map(synced))
      textIn(clients[0].doc).insert(0, BODY)
      for (const typist of typists) typist.start()
    }

    for (let kill = 0; kill < KILLS; kill++) {
      await random.pick(circles).ledger.grows(1 + random.below(MOST_PROMISES))
      await pause(random.below(10))
      await server.kill()
      proxy.refuse()

      server = await startServer({ release, flags: COMPACTING, data: server.data })
      // Before the others are let in again: they would bring back what the server has lost.
      for (const { name, ledger } of circles) {
        const doc = await freshCopy({ release, url: server.url, document: name })
        expect(ledger.brokenIn(doc, elementsIn(doc)), `document '${name}' after kill ${kill + 1}`).toEqual([])
      }
      proxy.leadTo(server.url)
    }

    for (const { typists } of circles) stopTyping(typists)
    await Promise.all(circles.map(converged))
    // They see each other's last edits, so these are durable.
    await server.kill()
    server = await startServer({ release, flags: COMPACTING, data: server.data })
    await expectAll(circles, server.url)

    // What is left to compact is compacted as the server closes.
    expect((await server.kill('SIGTERM')).code).toBe(0)
    await expectCompacted(server.data)
    server = await startServer({ release, data: server.data })
    await expectAll(circles, server.url)
  })
})

/** Who comes now sees what the others see, and each of their elements once. */
async function expectAll(circles: readonly Circle[], url: string): Promise<void> {
  for (const { name, typists } of circles) {
    const doc = await freshCopy({ release, url, document: name })
    expect(contentOf(doc)).toEqual(contentOf(typists[0].doc))
    expect(elementsIn(doc).toArray().sort()).toEqual(typists.flatMap(({ written }) => written).sort())
  }
}

async function expectCompacted(directory: string): Promise<void> {
  const storage = new LevelStorage({ directory })
  await storage.open()
  for (const name of DOCUMENTS) expect((await storage.load(name)).snapshot?.seq).toBeGreaterThan(0)
  await storage.close()
}

describe('SIGTERM', () => {
  /** Edits gather for a second, so that most of what was read is not durable when the signal comes. */
  const GATHERING = ['--max-gather-ms', '1000', '--gather-ms-per-subscriber', '10', '--shutdown-spread-ms', '0']

  test.for(times(1))('ends with code 0 and 1012, and stores all that was received (%i)', async () => {
    const server = await startServer({ release, flags: [...COMPACTING, ...GATHERING] })
    const random = new Random(printedSeed())
    const firstCodes: number[] = []
    const circles = DOCUMENTS.map((name) =>
      openCircle(name, server.url, random, (ledger) => ({
        read: (edits) => promiseAll(ledger, edits),
        closed: once((code) => firstCodes.push(code)),
      })),
    )
    for (const { clients, typists } of circles) {
      await Promise.all(clients.map(synced))
      for (const typist of typists) typist.start()
    }
    await Promise.all(circles.map(({ ledger }) => ledger.grows(100)))

    const { code, stderr } = await server.kill('SIGTERM')
    for (const { typists } of circles) stopTyping(typists)

    expect(code, stderr).toBe(0)
    expect(firstCodes).toEqual(Array(DOCUMENTS.length * CLIENTS).fill(1012))
    const restarted = await startServer({ release, data: server.data })
    for (const { name, ledger } of circles) {
      const doc = await freshCopy({ release, url: restarted.url, document: name })
      expect(ledger.brokenIn(doc, elementsIn(doc)), `document '${name}'`).toEqual([])
    }
  })
})

/** Passes on the first call only: clients try again at once, and find nobody there. */
function once(action: (code: number) => void): (code: number) => void {
  let isFirst = true
  return (code) => {
    if (isFirst) action(code)
    isFirst = false
  }
}
