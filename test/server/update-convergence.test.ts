import fc from 'fast-check'
import { expect, test } from 'vitest'
import * as Y from 'yjs'
import { atOnce } from '../../server/src/common/turns.ts'
import {
  coversState,
  decodeStateVector,
  diffUpdate,
  encodeNews,
  KnownState,
  mergeEntries,
  type News,
  scanUpdate,
  splitUpdate,
  takeNews,
} from '../../server/src/protocol/update/update.ts'
import { contentOf, docOf, Editor, isPending } from '../support/editing.ts'
import { Random } from '../support/random.ts'
import { runs } from '../support/runs.ts'

type Step1 = { type: 'step1'; stateVector: Uint8Array }
type UpdateMessage = { type: 'step2' | 'update'; update: Uint8Array }

const FROM_SERVER = 'server'
/** From another tab, past the server; such updates are not sent on. */
const FROM_TAB = 'tab'

/** A y-websocket client, as far as documents go: it answers Step1, and sends all updates that do not come from the server. */
class Client {
  readonly doc: Y.Doc
  readonly editor: Editor
  connection: Connection | null = null

  constructor(id: number, random: Random) {
    this.doc = new Y.Doc({ gc: random.chance(0.7) })
    this.doc.clientID = id
    this.editor = new Editor(this.doc, random)
    this.doc.on('update', (update: Uint8Array, origin: unknown) => {
      if (origin !== FROM_SERVER && origin !== FROM_TAB) this.connection?.toServer.push({ type: 'update', update })
    })
  }

  receive(message: Step1 | UpdateMessage): void {
    if (message.type !== 'step1') Y.applyUpdate(this.doc, message.update, FROM_SERVER)
    else {
      const update = Y.encodeStateAsUpdate(this.doc, message.stateVector)
      this.connection?.toServer.push({ type: 'step2', update })
    }
  }

  hear(update: Uint8Array): void {
    Y.applyUpdate(this.doc, update, FROM_TAB)
  }
}

/** Messages under way in both directions, and what the server holds per connection. */
class Connection {
  readonly toServer: (Step1 | UpdateMessage)[] = []
  readonly toClient: (Step1 | UpdateMessage)[] = []
  readonly client: Client
  /** Entries of the log that were sent, once the client's Step1 was answered. */
  cursor: number | null = null
  awaitsStep2 = true

  constructor(client: Client) {
    this.client = client
  }
}

/** What the server does with documents, without sockets, storage and time. */
class Server {
  readonly known = new KnownState()
  readonly log: Uint8Array[] = []
  #pending: News[] = []
  readonly #connections = new Set<Connection>()

  connect(client: Client): void {
    const connection = new Connection(client)
    client.connection = connection
    this.#connections.add(connection)
    connection.toClient.push({ type: 'step1', stateVector: this.known.encodeStateVector() })
    connection.toServer.push({ type: 'step1', stateVector: Y.encodeStateVector(client.doc) })
  }

  disconnect(client: Client): void {
    if (client.connection !== null) this.#connections.delete(client.connection)
    client.connection = null
  }

  receive(connection: Connection, message: Step1 | UpdateMessage): void {
    if (message.type === 'step1') this.#answer(connection, message.stateVector)
    else this.#take(connection, message)
  }

  #take(connection: Connection, message: UpdateMessage): void {
    const { news, complete } = takeNews(scanUpdate(message.update), this.known)
    if (news !== null) this.#pending.push(news)
    if (message.type === 'step2') connection.awaitsStep2 = false
    else if (!complete && !connection.awaitsStep2) {
      connection.awaitsStep2 = true
      connection.toClient.push({ type: 'step1', stateVector: this.known.encodeStateVector() })
    }
  }

  commit(): void {
    if (this.#pending.length === 0) return
    const entry = encodeNews(this.#pending)
    const bound = this.#pending.reduce((sum, { byteLength }) => sum + byteLength, 0)
    expect(entry.length).toBeLessThanOrEqual(bound)
    this.log.push(entry)
    this.#pending = []
    for (const connection of this.#connections) this.#send(connection)
  }

  #answer(connection: Connection, stateVector: Uint8Array): void {
    this.commit()
    const missing = diffUpdate(mergeEntries(this.log), decodeStateVector(stateVector))
    if (missing !== null) connection.toClient.push({ type: 'update', update: missing })
    connection.cursor = this.log.length
  }

  #send(connection: Connection): void {
    if (connection.cursor === null) return
    for (const update of this.log.slice(connection.cursor)) connection.toClient.push({ type: 'update', update })
    connection.cursor = this.log.length
  }
}

class World {
  readonly random: Random
  readonly server = new Server()
  readonly clients: readonly Client[]
  /** States that clients had at some time. */
  readonly snapshots: Uint8Array[] = []

  constructor(seed: number) {
    this.random = new Random(seed)
    this.clients = Array.from(
      { length: 3 + this.random.below(4) },
      (_, i) => new Client(this.#clientId(i), this.random),
    )
    for (const client of this.clients) {
      this.server.connect(client)
      this.#gossipFrom(client)
    }
  }

  step(): void {
    const random = this.random
    const client = random.pick(this.clients)
    const choice = random.below(100)
    if (choice < 40) client.editor.edit()
    else if (choice < 80) this.#deliverOne(client)
    else if (choice < 86) this.server.disconnect(client)
    else if (choice < 94) this.#reconnect(client)
    else if (choice < 98) this.server.commit()
    else this.snapshots.push(Y.encodeStateAsUpdate(client.doc))
  }

  /** Everybody online, everything delivered. */
  settle(): void {
    for (const client of this.clients) this.#reconnect(client)
    do {
      while (this.clients.some((client) => this.#deliverOne(client)));
      this.server.commit()
    } while (this.clients.some(({ connection }) => connection !== null && connection.toClient.length > 0))
  }

  #reconnect(client: Client): void {
    this.server.disconnect(client)
    this.server.connect(client)
  }

  /** Messages keep their order within a direction. Returns false when none is under way. */
  #deliverOne({ connection }: Client): boolean {
    if (connection === null) return false
    const { toServer, toClient, client } = connection
    const upward = toServer.length > 0 && (toClient.length === 0 || this.random.chance(0.5))
    if (upward) {
      const message = toServer.shift()
      if (message) this.server.receive(connection, message)
    } else {
      const message = toClient.shift()
      if (!message) return false
      client.receive(message)
    }
    return true
  }

  /** Some updates reach other tabs directly, so that their next edits build on what the server has not seen. */
  #gossipFrom(client: Client): void {
    client.doc.on('update', (update: Uint8Array, origin: unknown) => {
      if (origin === FROM_SERVER || origin === FROM_TAB) return
      for (const peer of this.clients) {
        if (peer === client || !this.random.chance(0.15)) continue
        // Without what the peer has: where it has collected the beginning of an item that comes whole, Yjs throws.
        const news = () => Y.encodeStateAsUpdate(client.doc, Y.encodeStateVector(peer.doc))
        peer.hear(this.random.chance(0.5) ? update : news())
      }
    })
  }

  #clientId(index: number): number {
    return 10 * this.random.below(this.random.pick([10, 2 ** 27, 2 ** 28])) + index
  }
}

function settledWorld(seed: number): World {
  const world = new World(seed)
  for (let steps = 40 + world.random.below(200); steps > 0; steps--) world.step()
  // What Yjs deletes by itself on integration is uploaded on the next connect.
  for (let i = 0; i < 3; i++) world.settle()
  return world
}

function expectSame(doc: Y.Doc, other: Y.Doc): void {
  expect(isPending(doc)).toBe(false)
  expect(contentOf(doc)).toEqual(contentOf(other))
  expect(Y.encodeStateVector(doc)).toEqual(Y.encodeStateVector(other))
}

/** Each entry starts where the log ends, and deletes only what exists and was not deleted. */
function expectClosedAndDisjoint(log: readonly Uint8Array[]): void {
  const state = new KnownState()
  const doc = new Y.Doc()
  for (const entry of log) {
    const scanned = scanUpdate(entry)
    for (const { client, clock } of scanned.sections) expect(clock).toBe(state.clocks.get(client) ?? 0)
    const deleted = new Map([...scanned.deletes].map(([client, ranges]) => [client, ranges.slice()]))
    expect(new Map(state.delete(scanned.deletes))).toEqual(deleted)
    state.absorb(scanned)
    Y.applyUpdate(doc, entry)
    expect(isPending(doc)).toBe(false)
  }
}

const seeds = fc.integer({ min: 0, max: 2 ** 31 })

test('whatever honest clients do, the log holds it, and every prefix of the log is a complete document', () => {
  fc.assert(
    fc.property(seeds, (seed) => {
      const { server, clients, snapshots, random } = settledWorld(seed)
      const truth = docOf(...server.log)
      for (const client of clients) expectSame(client.doc, truth)
      expectClosedAndDisjoint(server.log)

      const merged = mergeEntries(server.log)
      expectSame(docOf(merged), truth)
      expect(mergeEntries([mergeEntries(server.log.slice(0, 3)), ...server.log.slice(3)])).toEqual(merged)
      expect(Y.decodeStateVector(server.known.encodeStateVector())).toEqual(
        Y.decodeStateVector(Y.encodeStateVector(truth)),
      )
      const decoded = atOnce(KnownState.decode(server.known.encodeStateVector(), server.known.encodeDeleteSet()))
      expect(decoded.clocks).toEqual(server.known.clocks)
      expect(decoded.deleted).toEqual(server.known.deleted)

      for (const snapshot of snapshots) {
        const behind = docOf(snapshot)
        const clocks = decodeStateVector(Y.encodeStateVector(behind))
        const missing = diffUpdate(merged, clocks)
        if (missing !== null) Y.applyUpdate(behind, missing)
        expectSame(behind, truth)
        const lacksStructs = missing !== null && scanUpdate(missing).sections.length > 0
        expect(coversState(clocks, server.known.clocks)).toBe(!lacksStructs)
      }

      const maxBytes = 300 + random.below(1000)
      for (const update of [merged, Y.encodeStateAsUpdate(truth)]) {
        const pieces = splitUpdate(update, maxBytes)
        for (const piece of pieces.slice(0, -1)) expect(piece.length).toBeLessThanOrEqual(maxBytes)
        expectClosedAndDisjoint(pieces)
        expectSame(docOf(...pieces), truth)
      }
    }),
    { numRuns: runs(40), examples: [[1638024234], [2022512190], [521855822]] },
  )
})

test('clients that reconnect with nothing new add no entry', () => {
  fc.assert(
    fc.property(seeds, (seed) => {
      const world = settledWorld(seed)
      const entries = world.server.log.length
      for (let i = 0; i < 30; i++) world.settle()
      expect(world.server.log.length).toBe(entries)
    }),
    { numRuns: runs(5) },
  )
})
