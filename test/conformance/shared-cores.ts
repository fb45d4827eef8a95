import { setImmediate as nextTurn } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { CoeditError } from '../../server/src/common/errors.ts'
import { type Clock, systemClock } from '../../server/src/common/timing.ts'
import { parseOptions } from '../../server/src/config/config.ts'
import { Documents } from '../../server/src/document/documents.ts'
import { HookCalls } from '../../server/src/hooks/calls.ts'
import { KnownState, scanUpdate, takeNews } from '../../server/src/protocol/update/update.ts'
import type { Storage } from '../../server/src/storage/storage.ts'
import { WorkerPool } from '../../server/src/workers/pool.ts'
import { Client, hostileUpdate, Link } from '../support/core-clients.ts'
import { contentOf, docOf, isPending } from '../support/editing.ts'
import { recordingLog } from '../support/log.ts'
import { Random } from '../support/random.ts'
import { runs } from '../support/runs.ts'
import type { NewSharedHost } from './shared-storage.ts'

const DOCUMENT = 'doc'
const STEPS = 150

/** Timers are due in the next turn: the cores rest, but not for long. */
export const hurried: Clock = {
  now: systemClock.now,
  after: (_, action) => {
    const immediate = setImmediate(action)
    return () => clearImmediate(immediate)
  },
}

/** The core of a server, without sockets: documents over an engine that others share. */
class Core {
  readonly documents: Documents
  /** What it has applied, by number; of a document that was loaded, only what came later. */
  readonly applied = new Map<number, Uint8Array>()
  readonly #storage: Storage

  constructor(storage: Storage, workers: WorkerPool) {
    const { log } = recordingLog()
    const config = parseOptions({ compactMinBytes: 1, compactMaxEntries: 40, compactIntervalMs: 0 })
    const context = { config, clock: hurried, log }
    this.#storage = storage
    this.documents = new Documents({ ...context, storage, workers, hooks: new HookCalls({}, context), yjs: Y })
  }

  /** Notes all that is applied from here on. */
  async watch(): Promise<void> {
    const cursor = await this.documents.join(DOCUMENT, {
      onFlush: ({ pieces, after }) => {
        for (const [index, { update }] of pieces.entries()) this.applied.set(after + 1 + index, update)
      },
      onEnd: () => cursor.release(),
    })
  }

  async close(): Promise<void> {
    await this.documents.close()
    await this.#storage.close()
  }
}

/**
 * Cores of servers over a shared engine, and clients at them that edit, move, are cut and are hostile.
 *
 * @param cost as for the storage
 */
export function sharedCoresConformance(name: string, newHost: NewSharedHost, cost = 1): void {
  test.each(Array.from({ length: runs(12 / cost) }, (_, seed) => seed))(
    `servers that share a ${name} apply one log: all clients end alike, and nothing acknowledged is missing, seed %i`,
    (seed) => play(new Random(seed), newHost),
  )
}

/**
 * The same where what was acknowledged is lost again and again: as long as a client has it, it comes back.
 *
 * @param cost as for the storage
 */
export function sharedCoresFailover(name: string, newHost: NewSharedHost, cost = 1): void {
  test.each(Array.from({ length: runs(12 / cost) }, (_, seed) => seed))(
    `servers that share a ${name} which loses what it has acknowledged get it back from clients, seed %i`,
    (seed) => play(new Random(seed), newHost, true),
  )
}

/** The same until one of them deletes the document and another one makes it anew: nobody brings back what was there. */
export function sharedCoresDeletion(name: string, newHost: NewSharedHost, cost = 1): void {
  test.each(Array.from({ length: runs(8 / cost) }, (_, seed) => seed))(
    `servers that share a ${name} keep nothing of a document that is deleted, whoever writes on, seed %i`,
    (seed) => playDeletion(new Random(seed), newHost),
  )
}

async function playDeletion(random: Random, newHost: NewSharedHost): Promise<void> {
  const workers = new WorkerPool({ log: recordingLog().log })
  onTestFinished(() => workers.close())
  const host = await newHost(onTestFinished, random)
  const cores = await Promise.all([1, 2, 3].map(async () => new Core(await host.open(), workers)))
  const clients = Array.from({ length: 4 }, (_, index) => new Client(10 + index, random))
  // A core that learns of the deletion late may lose the document first.
  const expectEnd = (error: unknown) => expect(['GONE', 'STORAGE_CLOSED']).toContain(codeOf(error))
  const write = async (steps: number) => {
    for (let step = 0; step < steps; step++) {
      const client = random.pick(clients)
      client.editor.edit()
      if (!client.link) {
        client.link = new Link(client, () => undefined)
        await client.link.open(random.pick(cores), DOCUMENT).catch(expectEnd)
      }
      for (const message of client.link?.toClient.splice(0) ?? []) client.receive(message)
      await client.link?.take().catch((error: unknown) => {
        expectEnd(error)
        client.link?.cut()
      })
      if (random.chance(0.3)) await nextTurn()
    }
  }

  await cores[0].documents.inProcess.edit(DOCUMENT, (doc) => doc.getMap('old').set('is', true))
  await Promise.all(cores.map((core) => core.watch()))
  await write(60)
  await Promise.all([cores[1].documents.inProcess.delete(DOCUMENT), write(30)])
  const old = knownOf(cores.flatMap(({ applied }) => [...applied.values()])).clocks
  for (const { documents } of cores) {
    // The others learn of it a moment later.
    while ((await documents.inProcess.readUpdate(DOCUMENT).then(() => 'there', codeOf)) === 'there') await nextTurn()
    await expect(documents.inProcess.readUpdate(DOCUMENT)).rejects.toMatchObject({ code: 'GONE' })
  }
  const creating = cores[2].documents.inProcess.create(DOCUMENT, (doc) => doc.getMap('new').set('is', true))
  await Promise.all([creating, write(60)])
  const updates = await Promise.all(cores.map(({ documents }) => documents.inProcess.readUpdate(DOCUMENT)))
  for (const update of updates) {
    expect([...knownOf([update]).clocks.keys()].filter((client) => old.has(client))).toEqual([])
    expect(docOf(update).getMap('new').get('is')).toBe(true)
  }
  for (const core of cores) await core.close()
}

function codeOf(error: unknown): string | undefined {
  return error instanceof CoeditError ? error.code : undefined
}

async function play(random: Random, newHost: NewSharedHost, failsOver = false): Promise<void> {
  const workers = new WorkerPool({ log: recordingLog().log })
  onTestFinished(() => workers.close())
  const host = await newHost(onTestFinished, random)
  const witness = await host.open()
  const headOf = async () => (await witness.stat(DOCUMENT))?.head
  const openCore = async () => {
    const core = new Core(await host.open(), workers)
    await core.watch()
    return core
  }
  const cores = await Promise.all(Array.from({ length: 2 + random.below(3) }, openCore))
  const closed: Core[] = []
  const promised = new Map<number, number>()
  const promise = (clientId: number, clock: number) =>
    promised.set(clientId, Math.max(clock, promised.get(clientId) ?? 0))
  const clients = Array.from({ length: 4 }, (_, index) => new Client(10 + index, random))
  const connect = async (client: Client) => {
    client.link?.cut()
    client.link = new Link(client, promise)
    await client.link.open(random.pick(cores), DOCUMENT)
  }

  for (let step = 0; step < STEPS; step++) {
    const client = random.pick(clients)
    const { link } = client
    const choice = random.below(20)
    if (choice < 6) client.editor.edit()
    else if (choice < 11) await link?.take()
    else if (choice < 15) {
      const message = link?.toClient.shift()
      if (message) client.receive(message)
    } else if (choice < 17) await connect(client)
    else if (choice < 18) client.receiveFrom(random.pick(clients))
    else if (choice < 19) {
      const hostile = new Link(client, () => undefined)
      await hostile.open(random.pick(cores), DOCUMENT)
      hostile.toServer[0] = { type: 'update', bytes: hostileUpdate(client, random) }
      await hostile.take().catch((error: unknown) => expect(error).toMatchObject({ code: 'UPDATE_MALFORMED' }))
      hostile.cut()
    } else if (random.chance(0.3)) {
      const index = random.below(cores.length)
      const [leaving] = cores.splice(index, 1, await openCore())
      closed.push(leaving)
      await leaving.close()
    }
    if (failsOver && random.chance(0.03)) await host.failOver?.(random)
    if (random.chance(0.3)) await nextTurn()
  }

  for (const client of clients) await connect(client)
  const isQuiet = async () => {
    const head = await headOf()
    return clients.every(({ link }) => link?.isQuiet(head) === true)
  }
  while (!(await isQuiet())) {
    for (const client of clients) {
      if (!client.link) await connect(client)
      await client.link?.take()
      for (const message of client.link?.toClient.splice(0) ?? []) client.receive(message)
    }
    await nextTurn()
  }

  const content = contentOf(clients[0].doc)
  for (const { doc } of clients) {
    expect(isPending(doc)).toBe(false)
    expect(contentOf(doc)).toEqual(content)
  }
  const stored = await Promise.all(
    [...cores, await openCore()].map(({ documents }) => documents.inProcess.readUpdate(DOCUMENT)),
  )
  for (const update of stored) {
    expect(contentOf(docOf(update))).toEqual(content)
    const { clocks } = knownOf([update])
    for (const [clientId, clock] of promised) expect(clocks.get(clientId) ?? 0).toBeGreaterThanOrEqual(clock)
  }
  if (failsOver) return
  const all = [...cores, ...closed]
  const log = logOf(all)
  for (const core of all) expectOneLog(core, log)
}

/** What the cores have applied under each number. */
function logOf(cores: readonly Core[]): ReadonlyMap<number, readonly Uint8Array[]> {
  const log = new Map<number, Uint8Array[]>()
  for (const [seq, update] of cores.flatMap(({ applied }) => [...applied]).sort(([a], [b]) => a - b)) {
    const entries = log.get(seq) ?? []
    if (!entries.some((entry) => isDeepStrictEqual(entry, update))) log.set(seq, [...entries, update])
  }
  return log
}

/**
 * Whatever a server has applied under a number builds only on what comes before it, is disjoint from it, and is the same
 * as others have applied, save for deletions: a server leaves out what it knows to be deleted, and a compaction tells it
 * what lies inside of deleted types. Whoever was shown its log has nothing to gain from what the others have.
 */
function expectOneLog({ applied }: Core, log: ReadonlyMap<number, readonly Uint8Array[]>): void {
  const first = Math.min(...applied.keys())
  const shown = docOf(...[...log].filter(([seq]) => seq < first).flatMap(([, entries]) => entries))
  const known = new KnownState()
  for (const [seq, update] of [...applied].sort(([a], [b]) => a - b)) {
    Y.applyUpdate(shown, update)
    for (const other of log.get(seq) ?? []) {
      expect(structsOf(other)).toEqual(structsOf(update))
      const gain = takeNews(scanUpdate(other), knownOf([Y.encodeStateAsUpdate(shown)]))
      expect(gain).toEqual({ news: null, complete: true })
    }
    if (first > 1) continue
    const { sections } = scanUpdate(update)
    for (const { client, clock } of sections) expect(clock).toBe(known.clocks.get(client) ?? 0)
    expect(takeNews(scanUpdate(update), known).complete).toBe(true)
  }
}

function structsOf(update: Uint8Array): Uint8Array {
  return update.subarray(0, scanUpdate(update).deletesStart)
}

function knownOf(updates: readonly Uint8Array[]): KnownState {
  const known = new KnownState()
  for (const update of updates) known.absorb(scanUpdate(update))
  return known
}
