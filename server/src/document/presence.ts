import { isUtf8 } from 'node:buffer'
import type { Clock } from '../common/timing.ts'
import { isJson } from '../protocol/update/update.ts'
import { ABSENT, decodePresence, isAbsent, type PresenceEntry } from '../protocol/wire/awareness.ts'
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

const NOBODY: readonly PresenceEntry[] = []
const NONE: ReadonlySet<number> = new Set()

/**
 * A client id with two clocks. `clock` is the highest that anybody may know: what others are shown next is above it. Its
 * owner counts by itself, and its own clock stays behind where the server had something to say.
 */
interface Tracked extends PresenceEntry {
  readonly ownClock: number
  readonly owner: Participant | null
  readonly strong: boolean
  readonly version: number
  /** The clock and the time with which all were shown it last. */
  readonly shownClock: number
  readonly shownAt: number
}

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
 */
export class Presence {
  readonly #limits: PresenceLimits
  readonly #clock: Clock
  readonly #tracked = new Map<number, Tracked>()
  readonly #claims = new Map<Participant, Claims>()
  /** Ids whose owner is being asked whether it is there. */
  readonly #contested = new Set<number>()
  readonly #onChange: () => void
  #version = 0
  #flushed = 0
  #everyone: { version: number; entries: readonly PresenceEntry[] } = { version: 0, entries: [] }

  /** @param onChange called for each change; the owner decides when to flush */
  constructor(limits: PresenceLimits, clock: Clock, onChange: () => void) {
    this.#limits = limits
    this.#clock = clock
    this.#onChange = onChange
  }

  get version(): number {
    return this.#version
  }

  /** To be called before the participant is shown anything. */
  join(participant: Participant): void {
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
    for (const clientId of claims.ids) this.#depart(clientId)
    this.#forgetOldest()
  }

  /** Keeps the ids of this participant fresh while its peer is there. To be called about once a second. */
  renew(participant: Participant): void {
    const now = this.#clock.now()
    for (const clientId of this.idsOf(participant)) {
      const tracked = this.#tracked.get(clientId)
      if (!tracked || isAbsent(tracked.state) || now - tracked.shownAt < RENEWAL_MS) continue
      if (this.#contested.has(clientId)) continue
      // The answer to a ping counts as a word of the peer: the next call renews.
      if (now - participant.lastHeardAt < RENEWAL_MS) this.#show({ ...tracked, clock: tracked.clock + 1 })
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
    for (const entry of entries) if (entry.owner && isAhead(entry)) outpaced.add(entry.owner)
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
    const isOther = (clientId: number) => clientId !== claims.announced && !claims.ids.has(clientId)
    return this.#raise([...this.#tracked.keys()].filter(isOther))
  }

  /** Whether what it announces as its own can be so. An echo is not above what was shown. */
  #mayClaim(from: Participant, claims: Claims, { clientId, clock }: PresenceEntry): boolean {
    const tracked = this.#tracked.get(clientId)
    if (!tracked) return true
    if (tracked.owner === from) return clock > tracked.ownClock
    const wasShown = from.mayRepeat && (tracked.owner !== null || tracked.version > claims.since)
    return !wasShown || clock > tracked.clock
  }

  #claim(from: Participant, claims: Claims, entry: PresenceEntry): void {
    const { clientId } = entry
    const rival = this.#tracked.get(clientId)?.owner
    if (!rival || rival === from || this.#claims.get(rival)?.strong !== clientId || isSameUser(rival, from)) {
      this.#takeOver(from, claims, entry)
      return
    }
    // Somebody else holds it: a half-open socket of the same tab, or an impostor. Only a dead holder gives way.
    this.#contested.add(clientId)
    void rival.isAlive().then((alive) => {
      this.#contested.delete(clientId)
      const isOpen = this.#claims.get(from) === claims && claims.strong === undefined
      if (!alive && isOpen && this.#tracked.get(clientId)?.owner === rival) this.#takeOver(from, claims, entry)
    })
  }

  #takeOver(from: Participant, claims: Claims, entry: PresenceEntry): void {
    const { clientId } = entry
    const { owner } = this.#tracked.get(clientId) ?? { owner: null }
    const previous = owner && this.#claims.get(owner)
    previous?.ids.delete(clientId)
    // Who has lost its id may claim it again.
    if (previous?.strong === clientId) previous.strong = undefined
    claims.strong = clientId
    this.#take(from, claims, entry)
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
    participant.show(this.#raise(lost))
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
    const strong = claims.strong === clientId
    claims.ids.add(clientId)
    claims.isRefused = false
    if (known && Buffer.compare(known.state, state) === 0) {
      // A renewal is not passed on, for the server makes its own: sibling tabs would send each of those back as one.
      const renewed = { ...known, owner, strong, ownClock: clock, clock: Math.max(known.clock, clock) }
      this.#tracked.set(clientId, renewed)
      if (renewed.clock - clock > MAX_LEAD / 2) this.#tell(renewed)
      return
    }
    const lead = owner.mayRemember && clock + MAX_LEAD <= MAX_CLOCK ? MAX_LEAD : 0
    const above = known ? Math.max(known.clock + 1, clock) : clock + lead
    // The state is copied: the message is a view into a much larger receive buffer.
    const copy = new Uint8Array(state)
    this.#tell(this.#show({ clientId, clock: above, ownClock: clock, state: copy, owner, strong }))
  }

  /** Has an owner that counts lower than others see announce itself with the clock that they see. */
  #tell(tracked: Tracked): void {
    if (!tracked.strong || !isAhead(tracked) || isAbsent(tracked.state) || tracked.clock > MAX_CLOCK) return
    tracked.owner?.show([{ clientId: tracked.clientId, clock: tracked.clock - 1, state: ABSENT }])
  }

  #show(entry: Omit<Tracked, 'version' | 'shownClock' | 'shownAt'>): Tracked {
    const shown = { ...entry, version: ++this.#version, shownClock: entry.clock, shownAt: this.#clock.now() }
    this.#tracked.set(entry.clientId, shown)
    this.#onChange()
    return shown
  }

  /** Of these ids those who are here, with clocks that nobody knows yet. */
  #raise(clientIds: readonly number[]): readonly PresenceEntry[] {
    return clientIds.flatMap((clientId) => {
      const tracked = this.#tracked.get(clientId)
      if (!tracked || isAbsent(tracked.state)) return []
      const raised = { ...tracked, clock: tracked.clock + 1 }
      this.#tracked.set(clientId, raised)
      return [raised]
    })
  }

  #depart(clientId: number): void {
    const tracked = this.#tracked.get(clientId)
    if (!tracked) return
    const departed = { ...tracked, owner: null, strong: false }
    // The entry is deleted first, so that the map's order is the order of departure.
    this.#tracked.delete(clientId)
    if (isAbsent(tracked.state)) this.#tracked.set(clientId, departed)
    else this.#show({ ...departed, clock: tracked.clock + 1, state: ABSENT })
  }

  #changedSince(version: number): readonly Tracked[] {
    const changed: Tracked[] = []
    for (const entry of this.#tracked.values()) if (entry.version > version) changed.push(entry)
    return changed
  }

  #forgetOldest(): void {
    if (this.#tracked.size <= MAX_DEPARTED) return
    const departed = [...this.#tracked.values()].filter((entry) => entry.owner === null)
    for (const { clientId } of departed.slice(0, -MAX_DEPARTED)) this.#tracked.delete(clientId)
  }
}

/** Whether others see a higher clock than the owner's own: it would take an older state for a newer one. */
function isAhead({ clock, ownClock }: Tracked): boolean {
  return clock > ownClock
}

function onlyPresent(entries: readonly PresenceEntry[]): PresenceEntry | undefined {
  const present = entries.filter((entry) => !isAbsent(entry.state))
  return present.length === 1 ? present[0] : undefined
}

function isSameUser(a: Participant, b: Participant): boolean {
  return a.user !== undefined && a.user === b.user
}
