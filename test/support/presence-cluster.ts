import { setImmediate as nextTurn } from 'node:timers/promises'
import { Awareness, applyAwarenessUpdate, encodeAwarenessUpdate, removeAwarenessStates } from 'y-protocols/awareness'
import * as Y from 'yjs'
import type { Participant } from '../../server/src/document/participant.ts'
import { Presence } from '../../server/src/document/presence.ts'
import { PresenceExchange } from '../../server/src/document/presence-exchange.ts'
import { encodePresence, type PresenceEntry } from '../../server/src/protocol/wire/awareness.ts'
import type { Relay, RelayListener } from '../../server/src/storage/relay.ts'
import { recordingLog } from './log.ts'
import { ManualClock } from './manual-clock.ts'

const DOCUMENT = 'doc'
const STEP_MS = 20
const LIMITS = { maxPresenceBytes: 64 * 1024, maxWeakClaims: 4 }
/** How long a server needs to see that a client is gone that did not say goodbye, and a ping takes in vain. */
const GHOST_MS = 3_000
const PING_MS = 2_000

const FROM_SERVER = 'server'

/** Servers that tell each other who is at them, and time that passes for all of them alike. */
export class PresenceCluster {
  readonly nodes: ClusterNode[] = []
  readonly clients: PresenceClient[] = []
  now = 1_700_000_000_000

  addNode(): ClusterNode {
    const node = new ClusterNode(this)
    this.nodes.push(node)
    return node
  }

  addClient(name: string): PresenceClient {
    const client = new PresenceClient(this, name)
    this.clients.push(client)
    return client
  }

  async pass(ms: number): Promise<void> {
    for (const end = this.now + ms; this.now < end; ) {
      this.now += STEP_MS
      for (const node of this.nodes) node.step()
      for (const client of this.clients) client.step()
      for (let turn = 0; turn < 3; turn++) await nextTurn()
    }
  }

  async close(): Promise<void> {
    for (const { awareness } of this.clients) awareness.destroy()
    for (const node of this.nodes) await node.close()
  }
}

/** The presence of one document at one server. */
export class ClusterNode implements Relay {
  readonly presence: Presence
  readonly clock: ManualClock
  readonly #exchange: PresenceExchange
  readonly #cluster: PresenceCluster
  readonly #seats = new Set<Seat>()
  #inbox: Uint8Array[] = []
  #listener: RelayListener | undefined
  #mustConnect = false
  #isDeaf = false
  /** Whether what it says is lost. */
  isMute = false
  state: 'lives' | 'frozen' | 'dead' = 'lives'

  constructor(cluster: PresenceCluster) {
    this.#cluster = cluster
    this.clock = new ManualClock(cluster.now)
    this.#exchange = new PresenceExchange({
      relay: this,
      clock: this.clock,
      log: recordingLog().log,
      onDisconnect: () => undefined,
    })
    const neighbours = this.#exchange.neighboursOf(DOCUMENT)
    this.presence = new Presence(LIMITS, this.clock, () => undefined, neighbours)
  }

  async publish(message: Uint8Array): Promise<void> {
    if (this.isMute || this.state === 'dead') return
    for (const node of this.#cluster.nodes) node.#inbox.push(new Uint8Array(message))
  }

  subscribe(listener: RelayListener): () => void {
    this.#listener = listener
    this.#mustConnect = true
    return () => {
      this.#listener = undefined
    }
  }

  get isDeaf(): boolean {
    return this.#isDeaf
  }

  /** Whether its listener is down. */
  set isDeaf(isDeaf: boolean) {
    if (this.#isDeaf === isDeaf) return
    this.#isDeaf = isDeaf
    if (isDeaf) this.#listener?.onDisconnected()
    else this.#mustConnect = true
  }

  enter(seat: Seat): void {
    this.#seats.add(seat)
    this.presence.join(seat)
    seat.deliver(this.presence.everyone())
  }

  leave(seat: Seat): void {
    if (this.#seats.delete(seat)) this.presence.leave(seat)
  }

  step(): void {
    if (this.state !== 'lives') {
      if (this.state === 'dead') this.#inbox = []
      return
    }
    // After it was frozen all that was due comes at once, and then what was sent to it.
    this.clock.advance(this.#cluster.now - this.clock.now())
    const inbox = this.#inbox.splice(0)
    if (this.#mustConnect && !this.#isDeaf) {
      this.#mustConnect = false
      this.#listener?.onConnected()
    } else if (!this.#isDeaf) for (const message of inbox) this.#listener?.onMessage(message)
    for (const seat of this.#seats) seat.step()
    const step = this.presence.flush()
    if (!step) return
    for (const seat of this.#seats) {
      const own = step.outpaced.has(seat) ? this.presence.idsOf(seat) : new Set()
      seat.deliver(step.entries.filter(({ clientId }) => !own.has(clientId)))
    }
  }

  /** Stops as a server does: its connections end, and nobody is told that those have left. */
  async close(): Promise<void> {
    for (const seat of this.#seats) seat.isCut = true
    this.presence.close()
    await this.#exchange.close()
    this.state = 'dead'
  }
}

/** One connection of a client, as the server sees it. */
export class Seat implements Participant {
  readonly user = undefined
  readonly mayRemember: boolean
  readonly node: ClusterNode
  readonly #take: (entries: readonly PresenceEntry[]) => void
  readonly #sent: Uint8Array[] = []
  mayRepeat = false
  /** Whether the client is gone, though the server may not know it yet. */
  isCut = false

  constructor(node: ClusterNode, mayRemember: boolean, take: (entries: readonly PresenceEntry[]) => void) {
    this.node = node
    this.mayRemember = mayRemember
    this.#take = take
  }

  get lastHeardAt(): number {
    return this.isCut ? Number.NEGATIVE_INFINITY : this.node.clock.now()
  }

  send(message: Uint8Array): void {
    this.#sent.push(message)
  }

  /** The server takes in what the client has sent. */
  step(): void {
    for (const message of this.#sent.splice(0)) this.node.presence.receive(this, message)
    if (this.mayRepeat) return
    this.mayRepeat = true
    if (this.mayRemember) this.deliver(this.node.presence.others(this))
  }

  deliver(entries: readonly PresenceEntry[]): void {
    if (!this.isCut && entries.length > 0) this.#take(entries)
  }

  show(entries: readonly PresenceEntry[]): void {
    this.deliver(entries)
  }

  refusePresence(): void {
    throw new Error('the presence of a client was refused')
  }

  isAlive(): Promise<boolean> {
    if (!this.isCut) return Promise.resolve(true)
    return new Promise((resolve) => this.node.clock.after(PING_MS, () => resolve(false)))
  }

  /** The client goes; where it says goodbye, the server knows at once. */
  cut(saysGoodbye: boolean): void {
    this.isCut = true
    if (saysGoodbye) this.node.leave(this)
    else this.node.clock.after(GHOST_MS, () => this.node.leave(this))
  }
}

/** A y-websocket client, as far as presence goes: it repeats all that it is shown, and forgets all others when it is cut. */
export class PresenceClient {
  readonly awareness: Awareness
  readonly name: string
  /** When it, or the server where it is, was disturbed last. */
  disturbedAt = Number.NEGATIVE_INFINITY
  seat: Seat | undefined
  #toShow: Uint8Array[] = []
  readonly #cluster: PresenceCluster

  constructor(cluster: PresenceCluster, name: string) {
    this.#cluster = cluster
    this.name = name
    const doc = new Y.Doc()
    doc.clientID = 10 + cluster.clients.length
    this.awareness = new Awareness(doc)
    this.move('')
    this.awareness.on('update', ({ added, updated, removed }: Record<'added' | 'updated' | 'removed', number[]>) => {
      this.seat?.send(encodeAwarenessUpdate(this.awareness, [...added, ...updated, ...removed]))
    })
  }

  get id(): number {
    return this.awareness.clientID
  }

  /** Who it shows, beside itself, by what they show. */
  get others(): Map<number, unknown> {
    const others = new Map<number, unknown>(this.awareness.getStates())
    others.delete(this.id)
    return others
  }

  /** Shows something else of itself. */
  move(cursor: unknown): void {
    this.awareness.setLocalState({ name: this.name, cursor })
  }

  connect(node: ClusterNode): void {
    const seat = new Seat(node, true, (entries) => this.#toShow.push(encodePresence(entries)))
    this.seat = seat
    this.disturbedAt = this.#cluster.now
    node.enter(seat)
    seat.send(encodeAwarenessUpdate(this.awareness, [this.id]))
  }

  disconnect(saysGoodbye: boolean): void {
    const { seat } = this
    this.seat = undefined
    this.disturbedAt = this.#cluster.now
    this.#toShow = []
    seat?.cut(saysGoodbye)
    removeAwarenessStates(this.awareness, [...this.others.keys()], 'disconnected')
  }

  step(): void {
    for (const update of this.#toShow.splice(0)) applyAwarenessUpdate(this.awareness, update, FROM_SERVER)
  }

  /** Calls back when somebody disappears for it while it is connected. */
  onRemoved(listener: (clientId: number) => void): void {
    this.awareness.on('change', ({ removed }: { removed: readonly number[] }, origin: unknown) => {
      if (origin === FROM_SERVER) for (const clientId of removed) if (clientId !== this.id) listener(clientId)
    })
  }
}
