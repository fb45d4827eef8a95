import { randomInt } from 'node:crypto'
import type { Log } from '../common/log.ts'
import type { Cancel, Clock } from '../common/timing.ts'
import { isAbsent } from '../protocol/wire/awareness.ts'
import {
  decodeNodeMessage,
  encodeNodeMessage,
  type NodeItem,
  type NodeMessage,
} from '../protocol/wire/node-messages.ts'
import type { Unfollow } from '../storage/document-store.ts'
import type { Relay } from '../storage/relay.ts'
import { type Neighbours, RELEASED_MS, type SharedPresence } from './neighbours.ts'
import { ANSWER_MS, isDigestOf, PresenceContests } from './presence-contests.ts'

/**
 * Shortest time between two messages, for each server that there is and in all: what changes meanwhile goes into one, the
 * latest state of each id alone. So all of them together send a hundred in a second, however many they are: with 200 moves
 * in a second at two and at four servers half of them were seen elsewhere after 16 and 25 ms, and PostgreSQL took 5 % of
 * a core for it.
 */
const GATHER_MS_PER_NODE = 10
const MAX_GATHER_MS = 100
/** How often others are told that this server lives, and are looked after. */
const BEAT_MS = 500
/** Silence after which a server is dead, and those who were at it are shown as gone. */
const SILENCE_MS = 4_000
/** A server that has not heard itself for so long hears nobody, or has stood still. */
const DEAF_MS = 2_000
/** Node numbers are random below this. */
const MAX_NODE = 2 ** 48 - 1
const ALL = 0

export interface ExchangeContext {
  readonly relay: Relay
  readonly clock: Clock
  readonly log: Log
  /** Another server wants everybody, or this user alone, disconnected from a document. Must not throw. */
  onDisconnect(document: string, user: string | undefined): void
}

/** Another server. */
interface Node {
  /** That of its last message. */
  number: number
  heardAt: number
  /** Whether it did not answer, so that whoever was at it may be claimed. */
  isSuspect: boolean
}

/**
 * Tells other servers who is here, of documents that they show as well, and learns who is there. What is lost on the way is
 * asked for anew: messages are numbered, and every server says twice a second how many it has sent. One that says nothing
 * for 4 s is dead. While this one hears nobody itself, nobody is taken for dead.
 */
export class PresenceExchange {
  readonly #context: ExchangeContext
  readonly #node = randomInt(1, MAX_NODE)
  readonly #rooms = new Map<string, Room>()
  readonly #nodes = new Map<number, Node>()
  readonly #contests: PresenceContests
  #queue: NodeItem[] = []
  #number = 0
  #unsubscribe: Unfollow | undefined
  /** When it heard itself last. */
  #heardSelfAt = Number.NEGATIVE_INFINITY
  #nextTick: Cancel | undefined
  /** Until when nobody is shown as gone: what others have said meanwhile is still to come. */
  #patientUntil = 0
  #isBeatDue = false
  #flushTimer: Cancel | undefined
  #flushedAt = Number.NEGATIVE_INFINITY
  #sending: Promise<void> | undefined
  #isClosed = false

  constructor(context: ExchangeContext) {
    this.#context = context
    this.#contests = new PresenceContests({
      clock: context.clock,
      send: (item) => this.#send(item),
      isDeaf: () => this.#isDeaf,
      heardAt: (node) => this.#nodes.get(node)?.heardAt,
      suspect: (node) => this.#suspect(node),
    })
  }

  /** For the presence of one document. */
  neighboursOf(document: string): Neighbours {
    const exchange = this
    const node = this.#node
    let room: Room | undefined
    return {
      node,
      enter(presence) {
        room = exchange.#enter(document, presence)
      },
      leave() {
        if (room) exchange.#leave(room)
        room = undefined
      },
      changed: (clientId) => room && exchange.#changed(room, clientId),
      freed: (clientId) => exchange.#send({ type: 'free', document, clientId }),
      ask() {
        if (!room || room.nodes.size === 0) return false
        exchange.#ask(room, ALL)
        return true
      },
      contest: (node, clientId, user) => exchange.#contests.begin({ node, document, clientId }, user),
      exceed: (node, clientId, clock) => exchange.#send({ type: 'exceed', node, document, clientId, clock }),
    }
  }

  /** Has other servers disconnect everybody from a document, or this user alone. */
  disconnect(document: string, user: string | undefined): void {
    this.#start()
    this.#send({ type: 'disconnect', document, user })
  }

  /** Sends what is still to be said; the others are told nothing more. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#nextTick?.()
    this.#flushTimer?.()
    this.#contests.settle({}, true)
    await this.#sending
    await this.#flush()
    this.#unsubscribe?.()
  }

  #enter(document: string, presence: SharedPresence): Room {
    this.#start()
    const room: Room = { document, presence, nodes: new Set(), changed: new Set(), asks: new Set([ALL]), owesAll: true }
    this.#rooms.set(document, room)
    this.#flushSoon()
    return room
  }

  #leave(room: Room): void {
    const { document, presence, changed } = room
    if (this.#rooms.get(document) === room) this.#rooms.delete(document)
    this.#contests.settle({ document }, true)
    if (changed.size > 0) this.#send({ type: 'states', document, isWhole: false, entries: presence.entriesOf(changed) })
    this.#send({ type: 'leave', document })
  }

  #changed(room: Room, clientId: number): void {
    // A server that hears nobody, or has not heard the others yet, does not know who shows the document as well.
    if (room.nodes.size === 0 && !this.#isDeaf && !hasLeft(room, clientId)) return
    room.changed.add(clientId)
    this.#flushSoon()
  }

  #ask(room: Room, node: number): void {
    room.asks.add(node)
    this.#flushSoon()
  }

  #send(item: NodeItem): void {
    this.#queue.push(item)
    this.#flushSoon()
  }

  /** Whoever is at a server that does not answer may be claimed by all. It will say so if it lives. */
  #suspect(number: number): void {
    this.#send({ type: 'suspect', node: number })
    this.#suspected(number)
  }

  #suspected(number: number): void {
    const node = this.#nodes.get(number)
    if (!node) return
    node.isSuspect = true
    for (const { presence } of this.#rooms.values()) presence.allReleasedBy(number, node.heardAt + SILENCE_MS)
  }

  #start(): void {
    if (this.#unsubscribe || this.#isClosed) return
    const { relay, log } = this.#context
    this.#unsubscribe = relay.subscribe({
      onMessage: (bytes) => {
        try {
          this.#hear(decodeNodeMessage(bytes))
        } catch (error) {
          log.warn({ err: error }, 'a message of another server was not understood')
        }
      },
      onConnected: () => this.#connected(),
      onDisconnected: () => {
        this.#heardSelfAt = Number.NEGATIVE_INFINITY
      },
    })
    this.#tickLater()
  }

  /** Whether nothing can be told of others, since this server hears nobody. */
  get #isDeaf(): boolean {
    return this.#context.clock.now() - this.#heardSelfAt > DEAF_MS
  }

  #connected(): void {
    this.#forgive()
    for (const room of this.#rooms.values()) this.#ask(room, ALL)
  }

  /** Silence counts from now on. */
  #forgive(): void {
    const now = this.#context.clock.now()
    this.#patientUntil = now + ANSWER_MS
    for (const node of this.#nodes.values()) node.heardAt = now
  }

  #tickLater(): void {
    this.#nextTick = this.#context.clock.after(BEAT_MS, () => {
      this.#tick()
      this.#tickLater()
    })
  }

  #tick(): void {
    const now = this.#context.clock.now()
    if (this.#isDeaf) this.#forgive()
    if (now >= this.#patientUntil) {
      for (const [number, { heardAt }] of this.#nodes) if (now - heardAt >= SILENCE_MS) this.#bury(number)
      for (const { presence } of this.#rooms.values()) presence.tick()
    }
    if (this.#rooms.size === 0) return
    this.#isBeatDue = true
    this.#flushSoon()
  }

  #bury(number: number): void {
    this.#nodes.delete(number)
    for (const { presence, nodes } of this.#rooms.values()) {
      nodes.delete(number)
      presence.allReleasedBy(number, this.#context.clock.now())
    }
    this.#contests.settle({ node: number }, false)
  }

  #hear({ node: number, number: count, items }: NodeMessage): void {
    if (number === this.#node) {
      this.#heardSelfAt = this.#context.clock.now()
      return
    }
    const node = this.#nodes.get(number) ?? { number: 0, heardAt: 0, isSuspect: false }
    this.#nodes.set(number, node)
    const hasMissed = count !== node.number + 1 || node.isSuspect
    node.number = count
    node.heardAt = this.#context.clock.now()
    node.isSuspect = false
    for (const item of items) this.#take(number, item)
    if (hasMissed) for (const room of this.#rooms.values()) this.#ask(room, number)
  }

  #take(from: number, item: NodeItem): void {
    if (item.type === 'suspect') {
      if (item.node !== this.#node) this.#suspected(item.node)
      else for (const room of this.#rooms.values()) this.#showAll(room)
      return
    }
    if ('node' in item && item.node !== ALL && item.node !== this.#node) return
    const { document } = item
    const room = this.#rooms.get(document)
    switch (item.type) {
      case 'ask':
        if (room) this.#meet(room, from)
        if (room) this.#showAll(room)
        break
      case 'states':
        if (!room) break
        this.#meet(room, from)
        room.presence.receiveFrom(from, item.entries, item.isWhole)
        for (const { clientId, state } of item.entries) {
          if (isAbsent(state)) this.#contests.settle({ node: from, document, clientId }, false)
        }
        break
      case 'leave':
        room?.nodes.delete(from)
        room?.presence.allReleasedBy(from, this.#context.clock.now() + RELEASED_MS)
        break
      case 'contest':
        void this.#defend(from, document, item.clientId, item.user)
        break
      case 'free':
        room?.presence.releasedBy(from, item.clientId, this.#context.clock.now() + RELEASED_MS)
        this.#contests.settle({ node: from, document, clientId: item.clientId }, false)
        break
      case 'asking':
        this.#contests.asked({ node: from, document, clientId: item.clientId })
        break
      case 'held':
        this.#contests.settle({ node: from, document, clientId: item.clientId }, true)
        break
      case 'disconnect':
        this.#context.onDisconnect(document, item.user)
        break
      case 'exceed':
        room?.presence.exceed(item.clientId, item.clock)
        break
      default:
        item satisfies never
    }
  }

  /** A server that has not shown the document before has heard nothing of it. */
  #meet(room: Room, node: number): void {
    if (room.nodes.has(node)) return
    room.nodes.add(node)
    this.#showAll(room)
  }

  #showAll(room: Room): void {
    room.owesAll = true
    this.#flushSoon()
  }

  async #defend(node: number, document: string, clientId: number, user: Uint8Array): Promise<void> {
    const isUser = (name: string | undefined) => name !== undefined && isDigestOf(name, user)
    this.#send({ type: 'asking', node, document, clientId })
    const isHeld = await this.#rooms.get(document)?.presence.defend(clientId, isUser)
    if (isHeld) this.#send({ type: 'held', node, document, clientId })
    else this.#send({ type: 'free', document, clientId })
  }

  #flushSoon(): void {
    if (this.#flushTimer || this.#sending || this.#isClosed) return
    const { clock } = this.#context
    const gatherMs = Math.min(MAX_GATHER_MS, GATHER_MS_PER_NODE * (this.#nodes.size + 1))
    const delay = Math.max(0, this.#flushedAt + gatherMs - clock.now())
    this.#flushTimer = clock.after(delay, () => {
      this.#flushTimer = undefined
      void this.#flush()
    })
  }

  async #flush(): Promise<void> {
    const { clock, relay } = this.#context
    const items = this.#queue
    this.#queue = []
    for (const room of this.#rooms.values()) items.push(...newsOf(room))
    if (items.length === 0 && !this.#isBeatDue) return
    this.#isBeatDue = false
    this.#flushedAt = clock.now()
    this.#number++
    this.#sending = relay.publish(encodeNodeMessage({ node: this.#node, number: this.#number, items }))
    await this.#sending
    this.#sending = undefined
    if (this.#isBeatDue || this.#queue.length > 0 || [...this.#rooms.values()].some(hasNews)) this.#flushSoon()
  }
}

/** A document that somebody here is shown. */
interface Room {
  readonly document: string
  readonly presence: SharedPresence
  /** The servers that show it as well. */
  readonly nodes: Set<number>
  /** Ids that the others are to be shown. */
  readonly changed: Set<number>
  /** The servers that are to be asked. */
  readonly asks: Set<number>
  /** Whether the others are to be shown all who are here. */
  owesAll: boolean
}

/** Others may have been told of it before they answered; then it would stay with them until they give it up. */
function hasLeft({ presence }: Room, clientId: number): boolean {
  return presence.entriesOf([clientId]).some(({ state }) => isAbsent(state))
}

function hasNews({ changed, asks, owesAll }: Room): boolean {
  return changed.size > 0 || asks.size > 0 || owesAll
}

/** What the others are to be told, which is not told again. */
function newsOf(room: Room): NodeItem[] {
  const { document, presence, changed, asks } = room
  const items: NodeItem[] = []
  for (const node of asks.has(ALL) ? [ALL] : asks) items.push({ type: 'ask', node, document })
  // Who has left is not among all, and is to be gone at once.
  const entries = changed.size > 0 ? presence.entriesOf(changed) : []
  if (entries.length > 0) items.push({ type: 'states', document, isWhole: false, entries })
  if (room.owesAll) items.push({ type: 'states', document, isWhole: true, entries: presence.raisedHere() })
  changed.clear()
  asks.clear()
  room.owesAll = false
  return items
}
