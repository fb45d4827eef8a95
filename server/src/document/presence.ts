import { isUtf8 } from 'node:buffer'
import type { Clock } from '../common/timing.ts'
import { isJson } from '../protocol/update/update.ts'
import { ABSENT, decodePresence, isAbsent, type PresenceEntry } from '../protocol/wire/awareness.ts'
import type { NodeEntry } from '../protocol/wire/node-messages.ts'
import { type Neighbours, NO_NEIGHBOURS, RELEASED_MS, type SharedPresence } from './neighbours.ts'
import type { Participant } from './participant.ts'
import type { PresenceStep } from './subscriber.ts'

export interface PresenceLimits {
  readonly maxPresenceBytes: number
  readonly maxWeakClaims: number
}

/** Deeper states are refused: they stall or break the clients that parse them. */
const MAX_STATE_DEPTH = 16
/** y-protocols counts a clock up by one for each change; a clock beyond this was made up. */
const MAX_CLOCK = 2 ** 32 - 1
/** Clocks of clients that left, remembered so that a late echo of their presence cannot bring them back. */
const MAX_DEPARTED = 1_000
/** A message holds everybody's presence at most; one beyond this would cost others time and is dropped whole. */
const MAX_MESSAGE_BYTES = 1024 * 1024
/** Clients drop whom they have heard nothing of for 30 s, and renew themselves every 15 s where they can. */
const RENEWAL_MS = 15_000
/** Those who show nothing new for so long are dropped by their peers, whoever is right. */
const OUTDATED_MS = 30_000
/**
 * What an earlier server may have counted beyond an owner's own clock: renewals, four in a minute, of a tab that was
 * frozen for ten days.
 */
const MAX_LEAD = 2 ** 16

/** The shortest time between two reminders of one connection, which cost more than what asks for them. */
const REMINDER_MS = 1_000

/** How long somebody who comes back is shown those whom other servers show anew for it. */
const RETURN_MS = 2_000

/** What holds of an id that somebody holds or that is gone. */
const HELD = { goneAt: Number.POSITIVE_INFINITY, rival: null }
const NOT_HELD = { owner: null, strong: false }

const NOBODY: readonly PresenceEntry[] = []
const NONE: ReadonlySet<number> = new Set()

/**
 * A client id with two clocks. `clock` is the highest that anybody may know: what others are shown next is above it. Its
 * owner counts by itself, and its own clock stays behind where the server had something to say.
 */
interface Tracked extends NodeEntry {
  /**
   * A connection here, another server by its number, or nobody. Nobody holds who has left, but also who was released by a
   * server, and is there until `goneAt`.
   */
  readonly owner: Participant | number | null
  readonly goneAt: number
  /** The server that claims it as well, and what that one says of it. */
  readonly rival: Rival | null
  readonly version: number
  /** The clock and the time with which all were shown it last. */
  readonly shownClock: number
  readonly shownAt: number
}

interface Rival {
  readonly node: number
  readonly entry: NodeEntry
}

type Unshown = Omit<Tracked, 'version' | 'shownClock' | 'shownAt'>

interface Claims {
  /** The id that is its own. */
  strong: number | undefined
  /** All that it owns, its own among them. */
  readonly ids: Set<number>
  /** The id that it announced alone first, granted or not. */
  announced: number | undefined
  /** The version when it came: who left before was never shown to it. */
  readonly since: number
  /** Whether its last state was refused. */
  isRefused: boolean
  /** When it was last shown those whom it had lost. */
  remindedAt: number
}

/**
 * Who is in a document and what they show (awareness states), by client id.
 *
 * Every stock client re-sends everybody's presence, and a tab that loses its socket declares all others gone. So an id
 * belongs to the connection that claimed it and only that one changes it: the first single presence that a connection
 * announces is its own (a strong claim), unless it can be a repetition of what it was shown; a few further unknown ids
 * may come with it (weak claims, which yield to a strong one); everything else is an echo and is dropped unparsed.
 *
 * The clocks that others see are the server's. It keeps those fresh whose owner is there, though it may be a hidden tab
 * that says nothing, and shows them again to who comes back and remembers clocks. What an owner says with a lower clock
 * is shown with a higher one; the owner is never shown that, but told of its own removal: clients answer with their present
 * state and a clock above it, so that both count alike again.
 *
 * Of what connections at other servers hold those servers say the clocks, so that none is shown twice with the same one.
 * They alone raise it for who comes back, and decide whether a connection of theirs gives way.
 */
export class Presence implements SharedPresence {
  readonly #limits: PresenceLimits
  readonly #clock: Clock
  readonly #tracked = new Map<number, Tracked>()
  readonly #claims = new Map<Participant, Claims>()
  /** Ids whose owner is being asked whether it is there. */
  readonly #contested = new Set<number>()
  /** Until when those who came back are shown whom other servers show anew. */
  readonly #returning = new Map<Participant, number>()
  readonly #onChange: () => void
  readonly #neighbours: Neighbours
  #version = 0
  #flushed = 0
  #everyone: { version: number; entries: readonly PresenceEntry[] } = { version: 0, entries: [] }

  /** @param onChange called for each change; the owner decides when to flush */
  constructor(limits: PresenceLimits, clock: Clock, onChange: () => void, neighbours = NO_NEIGHBOURS) {
    this.#limits = limits
    this.#clock = clock
    this.#onChange = onChange
    this.#neighbours = neighbours
  }

  get version(): number {
    return this.#version
  }

  /** To be called before the participant is shown anything. */
  join(participant: Participant): void {
    if (this.#claims.size === 0) this.#neighbours.enter(this)
    this.#claims.set(participant, {
      strong: undefined,
      ids: new Set(),
      announced: undefined,
      since: this.#version,
      isRefused: false,
      remindedAt: Number.NEGATIVE_INFINITY,
    })
  }

  /** @throws CoeditError MESSAGE_MALFORMED */
  receive(from: Participant, message: Uint8Array): void {
    const claims = this.#claims.get(from)
    if (!claims) return
    if (message.length > MAX_MESSAGE_BYTES) {
      // One entry alone is its own, many are what it repeats.
      if (message[0] === 1) this.#refuse(from, claims, `${message.length} bytes of presence are too many`)
      return
    }
    const entries = decodePresence(message)
    const claimed = claims.strong === undefined ? onlyPresent(entries) : undefined
    claims.announced ??= claimed?.clientId
    const lost: number[] = []
    // No connection holds more ids than these. Looking into a state takes time, most where it is no JSON.
    let looks = 1 + this.#limits.maxWeakClaims
    for (const entry of entries) {
      const isClaim = entry === claimed && this.#mayClaim(from, claims, entry)
      if (!isClaim && !this.#mayChange(from, claims, entry)) {
        if (this.#hasLost(from, entry)) lost.push(entry.clientId)
        continue
      }
      if (looks-- === 0) break
      const fault = this.#faultOf(entry)
      if (fault !== undefined) this.#refuse(from, claims, fault)
      else if (isClaim) this.#claim(from, claims, entry)
      else this.#take(from, claims, entry)
    }
    if (lost.length > 0) this.#remind(from, claims, lost)
  }

  /** Shows everybody that the ids of this participant are gone. */
  leave(participant: Participant): void {
    const claims = this.#claims.get(participant)
    if (!claims) return
    this.#claims.delete(participant)
    this.#returning.delete(participant)
    for (const clientId of claims.ids) this.#depart(clientId)
    this.#forgetOldest()
    if (this.#claims.size === 0) this.close()
  }

  /** To be called when nobody takes part here any more. Whoever has not left is there until it comes back elsewhere. */
  close(): void {
    this.#neighbours.leave()
    for (const { clientId, owner, state } of [...this.#tracked.values()]) {
      if (!isHere(owner) && !isAbsent(state)) this.#depart(clientId)
    }
  }

  /** Keeps the ids of this participant fresh while its peer is there. To be called about once a second. */
  renew(participant: Participant): void {
    const now = this.#clock.now()
    for (const clientId of this.idsOf(participant)) {
      const tracked = this.#tracked.get(clientId)
      if (!tracked || isAbsent(tracked.state) || now - tracked.shownAt < RENEWAL_MS) continue
      if (this.#contested.has(clientId)) continue
      // The answer to a ping counts as a word of the peer: the next call renews.
      if (now - participant.lastHeardAt < RENEWAL_MS) this.#announce({ ...tracked, clock: tracked.clock + 1 })
      else void participant.isAlive()
    }
  }

  /** What changed since the last flush, for all; null where nothing did. */
  flush(): PresenceStep | null {
    const after = this.#flushed
    this.#flushed = this.#version
    const entries = this.#changedSince(after)
    if (entries.length === 0) return null
    const outpaced = new Set<Participant>()
    for (const entry of entries) if (isHere(entry.owner) && isAhead(entry)) outpaced.add(entry.owner)
    return { after, version: this.#version, entries, outpaced }
  }

  /** What changed after `version`, for one who missed flushes. */
  since(version: number, viewer: Participant | undefined): readonly PresenceEntry[] {
    if (version === this.#version) return NOBODY
    return this.#changedSince(version).filter((entry) => entry.owner !== viewer || !isAhead(entry))
  }

  /** The ids that a participant owns. */
  idsOf(participant: Participant): ReadonlySet<number> {
    return this.#claims.get(participant)?.ids ?? NONE
  }

  /** Everybody who is here, by their own clocks: so nobody is set back, whoever of them is shown it. */
  everyone(): readonly PresenceEntry[] {
    if (this.#everyone.version !== this.#version) {
      const present = [...this.#tracked.values()].filter((entry) => !isAbsent(entry.state))
      const entries = present.map(({ clientId, ownClock, state }) => ({ clientId, clock: ownClock, state }))
      this.#everyone = { version: this.#version, entries }
    }
    return this.#everyone.entries
  }

  /** All others who are here, with clocks above those that a client which was here before may remember. */
  others(viewer: Participant): readonly PresenceEntry[] {
    const claims = this.#claims.get(viewer)
    if (!claims) return NOBODY
    this.#awaitReturn(viewer)
    return this.#raise([...this.#tracked.keys()].filter((clientId) => isOther(claims, clientId)))
  }

  entriesOf(clientIds: Iterable<number>): readonly NodeEntry[] {
    return [...clientIds].flatMap((clientId) => {
      const tracked = this.#tracked.get(clientId)
      const isOurs = tracked && (isHere(tracked.owner) || (tracked.owner === null && isAbsent(tracked.state)))
      return isOurs ? [tracked] : []
    })
  }

  raisedHere(): readonly NodeEntry[] {
    return this.#raise([...this.#tracked.keys()])
  }

  receiveFrom(node: number, entries: readonly NodeEntry[], isWhole: boolean): void {
    for (const entry of entries) this.#takeFrom(node, entry, isWhole)
    this.#forgetOldest()
    if (!isWhole) return
    const listed = new Set(entries.map(({ clientId }) => clientId))
    const goneAt = this.#clock.now() + RELEASED_MS
    for (const clientId of [...this.#tracked.keys()]) if (!listed.has(clientId)) this.releasedBy(node, clientId, goneAt)
    const present = entries.filter(({ clientId }) => this.#tracked.get(clientId)?.owner === node)
    for (const viewer of this.#returning.keys()) {
      const claims = this.#claims.get(viewer)
      if (claims) viewer.show(present.filter(({ clientId }) => isOther(claims, clientId)))
    }
  }

  releasedBy(node: number, clientId: number, goneAt: number): void {
    const tracked = this.#tracked.get(clientId)
    if (tracked?.rival?.node === node) this.#tracked.set(clientId, { ...tracked, rival: null })
    else if (tracked?.owner === node) this.#release(tracked, goneAt)
  }

  allReleasedBy(node: number, goneAt: number): void {
    for (const clientId of [...this.#tracked.keys()]) this.releasedBy(node, clientId, goneAt)
  }

  async defend(clientId: number, isUser: (user: string | undefined) => boolean): Promise<boolean> {
    const { owner, strong } = this.#tracked.get(clientId) ?? NOT_HELD
    if (!isHere(owner)) return false
    if (strong && !isUser(owner.user) && (await owner.isAlive())) return true
    if (this.#tracked.get(clientId)?.owner === owner) this.#lose(clientId, owner)
    return false
  }

  exceed(clientId: number, clock: number): void {
    const tracked = this.#tracked.get(clientId)
    if (!tracked || !isHere(tracked.owner) || clock < tracked.clock) return
    this.#tell(this.#announce({ ...tracked, clock: clock + 1 }))
  }

  tick(): void {
    const now = this.#clock.now()
    for (const [participant, until] of this.#returning) if (until <= now) this.#returning.delete(participant)
    for (const { clientId, goneAt } of [...this.#tracked.values()]) if (goneAt <= now) this.#depart(clientId)
    this.#forgetOldest()
  }

  /** Whether what it announces as its own can be so. An echo is not above what was shown. */
  #mayClaim(from: Participant, claims: Claims, { clientId, clock }: PresenceEntry): boolean {
    const tracked = this.#tracked.get(clientId)
    if (!tracked) return true
    if (tracked.owner === from) return clock > tracked.ownClock
    const isThere = tracked.owner !== null || !isAbsent(tracked.state)
    const wasShown = from.mayRepeat && (isThere || tracked.version > claims.since)
    return !wasShown || clock > tracked.clock
  }

  #claim(from: Participant, claims: Claims, entry: PresenceEntry): void {
    const { clientId } = entry
    const owner = this.#tracked.get(clientId)?.owner
    const asking = this.#askOwner(from, clientId)
    if (!asking) {
      this.#takeOver(from, claims, entry)
      return
    }
    // Somebody else holds it: a half-open socket of the same tab, or an impostor. Only a dead holder gives way.
    this.#contested.add(clientId)
    void asking.then((alive) => {
      this.#contested.delete(clientId)
      const isOpen = this.#claims.get(from) === claims && claims.strong === undefined
      const present = this.#tracked.get(clientId)?.owner ?? null
      if (alive || !isOpen) return
      if (present === owner || present === null) this.#takeOver(from, claims, entry)
      // Another server claims it as well, and is to be asked in its turn.
      else if (!isHere(present)) this.#claim(from, claims, entry)
    })
  }

  /** Resolves whether the owner of an id, who has to be asked, is there; undefined where it gives way unasked. */
  #askOwner(from: Participant, clientId: number): Promise<boolean> | undefined {
    const { owner, strong } = this.#tracked.get(clientId) ?? NOT_HELD
    if (owner === null || owner === from || !strong) return undefined
    if (!isHere(owner)) return this.#neighbours.contest(owner, clientId, from.user)
    return isSameUser(owner, from) ? undefined : owner.isAlive()
  }

  #takeOver(from: Participant, claims: Claims, entry: PresenceEntry): void {
    const { clientId } = entry
    const { owner } = this.#tracked.get(clientId) ?? NOT_HELD
    if (isHere(owner)) this.#disclaim(clientId, owner)
    claims.strong = clientId
    this.#take(from, claims, entry)
  }

  #disclaim(clientId: number, owner: Participant): void {
    const claims = this.#claims.get(owner)
    claims?.ids.delete(clientId)
    // Who has lost its id may claim it again.
    if (claims?.strong === clientId) claims.strong = undefined
  }

  /** Takes what another server says of one who is at it. */
  #takeFrom(node: number, entry: NodeEntry, isWhole: boolean): void {
    const known = this.#tracked.get(entry.clientId)
    if (isAbsent(entry.state)) this.#departElsewhere(node, entry)
    else if (known && isHere(known.owner)) this.#settle(known, known.owner, { node, entry })
    else if (known && typeof known.owner === 'number' && !outranks({ node, entry }, known, known.owner)) {
      this.#doubt(known, known.owner, { node, entry })
    } else this.#accept(node, entry, isWhole)
  }

  #accept(node: number, entry: NodeEntry, isWhole: boolean): void {
    const { clientId, clock, state } = entry
    const known = this.#tracked.get(clientId)
    const isSame = known !== undefined && Buffer.compare(known.state, state) === 0
    const isBehind = known !== undefined && (clock < known.clock || (clock === known.clock && !isSame))
    if (isBehind) this.#neighbours.exceed(node, clientId, known.clock)
    const rival = known?.owner === node ? known.rival : null
    const accepted = { ...entry, ...HELD, rival, clock: Math.max(clock, known?.clock ?? 0), owner: node }
    // Who is shown anew for somebody who came back is shown to nobody else.
    if (isSame && isWhole) this.#tracked.set(clientId, { ...known, ...accepted })
    else this.#show(accepted)
  }

  /** Both a connection here and another server claim the id: the one that has held it longer keeps it while it is there. */
  #settle(known: Tracked, owner: Participant, rival: Rival): void {
    const { clientId, strong, state } = known
    const isYielding = isAbsent(state) || outranks(rival, known, this.#neighbours.node)
    if (!isYielding) {
      this.#tracked.set(clientId, { ...known, rival })
      this.#neighbours.changed(clientId)
    } else if (!strong) {
      this.#lose(clientId, owner)
      this.#neighbours.freed(clientId)
      this.#accept(rival.node, rival.entry, false)
    } else void this.#challenge(clientId, owner, rival)
  }

  /** Gives the id up where the connection elsewhere that has held it longer is there. */
  async #challenge(clientId: number, owner: Participant, { node, entry }: Rival): Promise<void> {
    if (this.#contested.has(clientId)) return
    this.#contested.add(clientId)
    const isAlive = await this.#neighbours.contest(node, clientId, owner.user)
    this.#contested.delete(clientId)
    if (this.#tracked.get(clientId)?.owner !== owner) return
    if (isAlive) {
      this.#lose(clientId, owner)
      this.#neighbours.freed(clientId)
      this.#accept(node, entry, false)
      this.#neighbours.ask()
    } else this.#neighbours.changed(clientId)
  }

  /** Of two servers that claim an id, the one that has held it longer may be dead. */
  #doubt(known: Tracked, owner: number, rival: Rival): void {
    const { clientId } = known
    this.#tracked.set(clientId, { ...known, rival })
    if (known.rival?.node === rival.node) return
    void this.#neighbours.contest(owner, clientId, undefined).then((isAlive) => {
      if (!isAlive) this.releasedBy(owner, clientId, this.#clock.now() + RELEASED_MS)
    })
  }

  /** The connection here holds the id no longer, for somebody elsewhere does. */
  #lose(clientId: number, owner: Participant): void {
    const tracked = this.#tracked.get(clientId)
    if (!tracked) return
    this.#disclaim(clientId, owner)
    this.#release(tracked, this.#clock.now() + RELEASED_MS)
  }

  /** Whoever claims it as well has it now; otherwise it is there until `goneAt`. */
  #release(tracked: Tracked, goneAt: number): void {
    const { clientId, rival, state } = tracked
    const free = { ...tracked, ...HELD, owner: null, strong: false }
    this.#tracked.set(clientId, isAbsent(state) ? free : { ...free, goneAt })
    if (rival) this.#accept(rival.node, rival.entry, false)
  }

  #departElsewhere(node: number, entry: NodeEntry): void {
    const { clientId, clock } = entry
    const known = this.#tracked.get(clientId)
    // It is remembered, so that a late echo of its presence cannot bring it back.
    if (!known) {
      const shown = { version: this.#version, shownClock: clock, shownAt: this.#clock.now() }
      this.#tracked.set(clientId, { ...entry, ...HELD, ...shown, owner: null })
    }
    if (known?.owner === node) this.#depart(clientId, clock - 1)
    else if (known?.rival?.node === node) this.#tracked.set(clientId, { ...known, rival: null })
  }

  /** Whether the entry counts, by its id and clock alone: its state is not looked into yet. */
  #mayChange(from: Participant, claims: Claims, { clientId, clock, state }: PresenceEntry): boolean {
    const tracked = this.#tracked.get(clientId)
    if (!tracked) {
      const weak = claims.ids.size - (claims.strong === undefined ? 0 : 1)
      return weak < this.#limits.maxWeakClaims && !isAbsent(state)
    }
    return tracked.owner === from && (clock > tracked.ownClock || (clock === tracked.ownClock && isAbsent(state)))
  }

  /** Whether somebody is declared gone who is here: a sibling tab that lost its socket says so of everybody. */
  #hasLost(from: Participant, { clientId, clock, state }: PresenceEntry): boolean {
    if (!isAbsent(state)) return false
    const tracked = this.#tracked.get(clientId)
    if (!tracked || tracked.owner === from || clock < tracked.shownClock) return false
    return this.#clock.now() - tracked.shownAt < OUTDATED_MS
  }

  /** Shows a participant again whom it has lost. */
  #remind(participant: Participant, claims: Claims, lost: readonly number[]): void {
    const now = this.#clock.now()
    if (now - claims.remindedAt < REMINDER_MS) return
    claims.remindedAt = now
    if (lost.some((clientId) => typeof this.#tracked.get(clientId)?.owner === 'number')) this.#awaitReturn(participant)
    participant.show(this.#raise(lost))
  }

  /** Has other servers show it whom it may have seen with clocks that only they know. */
  #awaitReturn(participant: Participant): void {
    if (this.#neighbours.ask()) this.#returning.set(participant, this.#clock.now() + RETURN_MS)
  }

  /** Why the state is not shown: clients can read JSON in UTF-8, `applyAwarenessUpdate` throws on all else. */
  #faultOf({ clock, state }: PresenceEntry): string | undefined {
    const { maxPresenceBytes } = this.#limits
    if (clock > MAX_CLOCK) return `a presence clock of ${clock} is above ${MAX_CLOCK}`
    if (state.length > maxPresenceBytes) {
      return `a presence state of ${state.length} bytes is larger than ${maxPresenceBytes}`
    }
    if (isUtf8(state) && isJson(state, 0, state.length, MAX_STATE_DEPTH)) return undefined
    return `a presence state is no JSON, or nests more than ${MAX_STATE_DEPTH} deep`
  }

  #refuse(from: Participant, claims: Claims, reason: string): void {
    if (claims.isRefused) return
    claims.isRefused = true
    from.refusePresence(reason)
  }

  /** Takes what an owner says. */
  #take(owner: Participant, claims: Claims, { clientId, clock, state }: PresenceEntry): void {
    const known = this.#tracked.get(clientId)
    const held = known && isHere(known.owner) ? known : undefined
    const strong = claims.strong === clientId
    claims.ids.add(clientId)
    claims.isRefused = false
    if (held && Buffer.compare(held.state, state) === 0) {
      // A renewal is not passed on, for the server makes its own: sibling tabs would send each of those back as one.
      const renewed = { ...held, owner, strong, ownClock: clock, clock: Math.max(held.clock, clock) }
      this.#tracked.set(clientId, renewed)
      if (held.strong !== strong) this.#neighbours.changed(clientId)
      if (renewed.clock - clock > MAX_LEAD / 2) this.#tell(renewed)
      return
    }
    // Another server may have shown it since with clocks that were never heard of here.
    const isUnsure = !known || (!held && this.#neighbours !== NO_NEIGHBOURS)
    const lead = isUnsure && owner.mayRemember && clock + MAX_LEAD <= MAX_CLOCK ? MAX_LEAD : 0
    const above = Math.max(known ? known.clock + 1 : clock, clock) + lead
    const claimedAt = held?.claimedAt ?? Math.floor(this.#clock.now())
    const rival = held?.rival ?? null
    // The state is copied: the message is a view into a much larger receive buffer.
    const copy = new Uint8Array(state)
    const shown = { ...HELD, clientId, clock: above, ownClock: clock, state: copy, owner, strong, claimedAt, rival }
    this.#tell(this.#announce(shown))
  }

  /** Has an owner that counts lower than others see announce itself with the clock that they see. */
  #tell(tracked: Tracked): void {
    if (!tracked.strong || !isAhead(tracked) || isAbsent(tracked.state) || tracked.clock > MAX_CLOCK) return
    if (isHere(tracked.owner))
      tracked.owner.show([{ clientId: tracked.clientId, clock: tracked.clock - 1, state: ABSENT }])
  }

  /** Shows one who is held here, or was until now, to all here and elsewhere. */
  #announce(entry: Unshown): Tracked {
    this.#neighbours.changed(entry.clientId)
    return this.#show(entry)
  }

  #show(entry: Unshown): Tracked {
    const shown = { ...entry, version: ++this.#version, shownClock: entry.clock, shownAt: this.#clock.now() }
    this.#tracked.set(entry.clientId, shown)
    this.#onChange()
    return shown
  }

  /** Of these ids those who are held here, with clocks that nobody knows yet. */
  #raise(clientIds: readonly number[]): readonly Tracked[] {
    return clientIds.flatMap((clientId) => {
      const tracked = this.#tracked.get(clientId)
      if (!tracked || !isHere(tracked.owner) || isAbsent(tracked.state)) return []
      const raised = { ...tracked, clock: tracked.clock + 1 }
      this.#tracked.set(clientId, raised)
      return [raised]
    })
  }

  #depart(clientId: number, knownClock = 0): void {
    const tracked = this.#tracked.get(clientId)
    if (!tracked) return
    const { owner, rival } = tracked
    if (rival) {
      // It has come back elsewhere before this connection was known to be dead.
      this.#release(tracked, this.#clock.now() + RELEASED_MS)
      if (isHere(owner)) this.#neighbours.freed(clientId)
      return
    }
    const departed = { ...tracked, ...HELD, owner: null, strong: false }
    // The entry is deleted first, so that the map's order is the order of departure.
    this.#tracked.delete(clientId)
    if (isAbsent(tracked.state)) {
      this.#tracked.set(clientId, departed)
      return
    }
    const gone = { ...departed, clock: Math.max(tracked.clock, knownClock) + 1, state: ABSENT }
    if (isHere(owner)) this.#announce(gone)
    else this.#show(gone)
  }

  #changedSince(version: number): readonly Tracked[] {
    const changed: Tracked[] = []
    for (const entry of this.#tracked.values()) if (entry.version > version) changed.push(entry)
    return changed
  }

  #forgetOldest(): void {
    if (this.#tracked.size <= MAX_DEPARTED) return
    const departed = [...this.#tracked.values()].filter(({ owner, state }) => owner === null && isAbsent(state))
    for (const { clientId } of departed.slice(0, -MAX_DEPARTED)) this.#tracked.delete(clientId)
  }
}

/** Whether others see a higher clock than the owner's own: it would take an older state for a newer one. */
function isAhead({ clock, ownClock }: Tracked): boolean {
  return clock > ownClock
}

/** Whether it is held by a connection of this server. */
function isHere(owner: Tracked['owner']): owner is Participant {
  return owner !== null && typeof owner === 'object'
}

/** Whether the claim of a server goes before that of another one, the holder: all servers judge alike. */
function outranks({ node, entry }: Rival, { strong, claimedAt }: Tracked, holder: number): boolean {
  if (node === holder) return true
  if (strong !== entry.strong) return entry.strong
  if (claimedAt !== entry.claimedAt) return entry.claimedAt < claimedAt
  return node < holder
}

function isOther(claims: Claims, clientId: number): boolean {
  return clientId !== claims.announced && !claims.ids.has(clientId)
}

function onlyPresent(entries: readonly PresenceEntry[]): PresenceEntry | undefined {
  const present = entries.filter((entry) => !isAbsent(entry.state))
  return present.length === 1 ? present[0] : undefined
}

function isSameUser(a: Participant, b: Participant): boolean {
  return a.user !== undefined && a.user === b.user
}
