import { isUtf8 } from 'node:buffer'
import type { Clock } from '../common/timing.ts'
import { isJson } from '../protocol/update/update.ts'
import { decodePresence, isAbsent, type PresenceEntry } from '../protocol/wire/awareness.ts'
import { type Neighbours, NO_NEIGHBOURS } from './neighbours.ts'
import type { Participant } from './participant.ts'
import { Claimants, type Claims, isOther } from './presence-claims.ts'
import { PresenceElsewhere } from './presence-elsewhere.ts'
import { HELD, isHere, MAX_CLOCK, NOT_HELD, PresenceTable, tellOwner } from './presence-table.ts'
import type { PresenceStep } from './subscriber.ts'

export interface PresenceLimits {
  readonly maxPresenceBytes: number
  readonly maxWeakClaims: number
}

/** Deeper states are refused: they stall or break the clients that parse them. */
const MAX_STATE_DEPTH = 16
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

/** Characters that are taken of a name. */
const MAX_NAME = 64

/** The shortest time between two reminders of one connection, which cost more than what asks for them. */
const REMINDER_MS = 1_000

const NOBODY: readonly PresenceEntry[] = []

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
 */
export class Presence {
  readonly #limits: PresenceLimits
  readonly #clock: Clock
  readonly #neighbours: Neighbours
  readonly #table: PresenceTable
  readonly #claimants = new Claimants()
  readonly #elsewhere: PresenceElsewhere
  /** What was read in states, each of which is an object of its own. */
  readonly #names = new WeakMap<Uint8Array, string>()
  /** Ids whose owner is being asked whether it is there. */
  readonly #contested = new Set<number>()

  /** @param onChange called for each change; the owner decides when to flush */
  constructor(limits: PresenceLimits, clock: Clock, onChange: () => void, neighbours = NO_NEIGHBOURS) {
    this.#limits = limits
    this.#clock = clock
    this.#neighbours = neighbours
    const table = new PresenceTable(clock, neighbours, onChange)
    const contested = this.#contested
    this.#table = table
    this.#elsewhere = new PresenceElsewhere({ clock, table, claimants: this.#claimants, neighbours, contested })
  }

  get version(): number {
    return this.#table.version
  }

  /** To be called before the participant is shown anything. */
  join(participant: Participant): void {
    if (this.#claimants.size === 0) this.#neighbours.enter(this.#elsewhere)
    this.#claimants.add(participant, this.#table.version)
  }

  /** @throws CoeditError MESSAGE_MALFORMED */
  receive(from: Participant, message: Uint8Array): void {
    const claims = this.#claimants.of(from)
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
    if (!this.#claimants.of(participant)) return
    const clientIds = this.idsOf(participant)
    this.#claimants.delete(participant)
    this.#elsewhere.left(participant, clientIds)
    if (this.#claimants.size === 0) this.close()
  }

  /** To be called when nobody takes part here any more. Whoever has not left is there until it comes back elsewhere. */
  close(): void {
    this.#elsewhere.close()
  }

  /** Keeps the ids of this participant fresh while its peer is there. To be called about once a second. */
  renew(participant: Participant): void {
    const now = this.#clock.now()
    for (const clientId of this.idsOf(participant)) {
      const tracked = this.#table.get(clientId)
      if (!tracked || isAbsent(tracked.state) || now - tracked.shownAt < RENEWAL_MS) continue
      if (this.#contested.has(clientId)) continue
      // The answer to a ping counts as a word of the peer: the next call renews.
      if (now - participant.lastHeardAt < RENEWAL_MS) this.#table.announce({ ...tracked, clock: tracked.clock + 1 })
      else void participant.isAlive()
    }
  }

  /** What changed since the last flush, for all; null where nothing did. */
  flush(): PresenceStep | null {
    return this.#table.flush()
  }

  /** What changed after `version`, for one who missed flushes. */
  since(version: number, viewer: Participant | undefined): readonly PresenceEntry[] {
    return this.#table.since(version, viewer)
  }

  /** The ids that a participant owns. */
  idsOf(participant: Participant): ReadonlySet<number> {
    return this.#claimants.idsOf(participant)
  }

  /** The name that a participant shows to others, shortened; undefined where it shows none. */
  nameOf(participant: Participant): string | undefined {
    const strong = this.#claimants.of(participant)?.strong
    const shown = strong === undefined ? undefined : this.#table.get(strong)
    if (!shown || shown.owner !== participant) return undefined
    const known = this.#names.get(shown.state)
    if (known !== undefined) return known || undefined
    const name = nameIn(shown.state)
    this.#names.set(shown.state, name)
    return name || undefined
  }

  /** Everybody who is here, by their own clocks: so nobody is set back, whoever of them is shown it. */
  everyone(): readonly PresenceEntry[] {
    return this.#table.everyone()
  }

  /**
   * All others who are here, with clocks above those that a client which was here before may remember. Those at other
   * servers follow, as soon as these have raised theirs.
   */
  others(viewer: Participant): readonly PresenceEntry[] {
    const claims = this.#claimants.of(viewer)
    if (!claims) return NOBODY
    this.#elsewhere.welcome(viewer)
    const clientIds = this.#table.all().map(({ clientId }) => clientId)
    return this.#table.raise(clientIds.filter((clientId) => isOther(claims, clientId)))
  }

  /** Whether what it announces as its own can be so. An echo is not above what was shown. */
  #mayClaim(from: Participant, claims: Claims, { clientId, clock }: PresenceEntry): boolean {
    const tracked = this.#table.get(clientId)
    if (!tracked) return true
    if (tracked.owner === from) return clock > tracked.ownClock
    const isThere = tracked.owner !== null || !isAbsent(tracked.state)
    const wasShown = from.mayRepeat && (isThere || tracked.version > claims.since)
    return !wasShown || clock > tracked.clock
  }

  #claim(from: Participant, claims: Claims, entry: PresenceEntry): void {
    const { clientId } = entry
    const owner = this.#table.get(clientId)?.owner
    const asking = this.#askOwner(from, clientId)
    if (!asking) {
      this.#takeOver(from, claims, entry)
      return
    }
    // Somebody else holds it: a half-open socket of the same tab, or an impostor. Only a dead holder gives way.
    this.#contested.add(clientId)
    void asking.then((alive) => {
      this.#contested.delete(clientId)
      const isOpen = this.#claimants.of(from) === claims && claims.strong === undefined
      const present = this.#table.get(clientId)?.owner ?? null
      if (alive || !isOpen) return
      if (present === owner || present === null) this.#takeOver(from, claims, entry)
      // Another server claims it as well, and is to be asked in its turn.
      else if (!isHere(present)) this.#claim(from, claims, entry)
    })
  }

  /** Resolves whether the owner of an id, who has to be asked, is there; undefined where it gives way unasked. */
  #askOwner(from: Participant, clientId: number): Promise<boolean> | undefined {
    const { owner, strong } = this.#table.get(clientId) ?? NOT_HELD
    if (owner === null || owner === from || !strong) return undefined
    if (!isHere(owner)) return this.#neighbours.contest(owner, clientId, from.user)
    return isSameUser(owner, from) ? undefined : owner.isAlive()
  }

  #takeOver(from: Participant, claims: Claims, entry: PresenceEntry): void {
    const { clientId } = entry
    const { owner } = this.#table.get(clientId) ?? NOT_HELD
    if (isHere(owner)) this.#claimants.disclaim(owner, clientId)
    claims.strong = clientId
    this.#take(from, claims, entry)
  }

  /** Whether the entry counts, by its id and clock alone: its state is not looked into yet. */
  #mayChange(from: Participant, claims: Claims, { clientId, clock, state }: PresenceEntry): boolean {
    const tracked = this.#table.get(clientId)
    if (!tracked) {
      const weak = (claims.ids?.size ?? 0) - (claims.strong === undefined ? 0 : 1)
      return weak < this.#limits.maxWeakClaims && !isAbsent(state)
    }
    return tracked.owner === from && (clock > tracked.ownClock || (clock === tracked.ownClock && isAbsent(state)))
  }

  /** Whether somebody is declared gone who is here: a sibling tab that lost its socket says so of everybody. */
  #hasLost(from: Participant, { clientId, clock, state }: PresenceEntry): boolean {
    if (!isAbsent(state)) return false
    const tracked = this.#table.get(clientId)
    if (!tracked || tracked.owner === from || clock < tracked.shownClock) return false
    return this.#clock.now() - tracked.shownAt < OUTDATED_MS
  }

  /** Shows a participant again whom it has lost. */
  #remind(participant: Participant, claims: Claims, lost: readonly number[]): void {
    const now = this.#clock.now()
    if (now - claims.remindedAt < REMINDER_MS) return
    claims.remindedAt = now
    if (lost.some((clientId) => typeof this.#table.get(clientId)?.owner === 'number'))
      this.#elsewhere.welcome(participant)
    participant.show(this.#table.raise(lost))
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
    const known = this.#table.get(clientId)
    const held = known && isHere(known.owner) ? known : undefined
    const strong = claims.strong === clientId
    claims.ids ??= new Set()
    claims.ids.add(clientId)
    claims.isRefused = false
    if (held && Buffer.compare(held.state, state) === 0) {
      // A renewal is not passed on, for the server makes its own: sibling tabs would send each of those back as one.
      const renewed = { ...held, owner, strong, ownClock: clock, clock: Math.max(held.clock, clock) }
      this.#table.note(renewed)
      if (held.strong !== strong) this.#neighbours.changed(clientId)
      if (renewed.clock - clock > MAX_LEAD / 2) tellOwner(renewed)
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
    tellOwner(this.#table.announce(shown))
  }
}

/** As editors show it: `{ user: { name } }`, or `{ name }`. Empty where there is none. */
function nameIn(state: Uint8Array): string {
  const { user, name: own }: Shown = Object(JSON.parse(Buffer.from(state).toString()))
  const name = user?.name ?? own
  return typeof name === 'string' ? name.slice(0, MAX_NAME) : ''
}

interface Shown {
  readonly user?: { readonly name?: unknown } | null
  readonly name?: unknown
}

function onlyPresent(entries: readonly PresenceEntry[]): PresenceEntry | undefined {
  const present = entries.filter((entry) => !isAbsent(entry.state))
  return present.length === 1 ? present[0] : undefined
}

function isSameUser(a: Participant, b: Participant): boolean {
  return a.user !== undefined && a.user === b.user
}
