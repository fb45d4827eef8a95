import { isUtf8 } from 'node:buffer'
import { isJson } from '../protocol/update/update.ts'
import { ABSENT, decodePresence, isAbsent, type PresenceEntry } from '../protocol/wire/awareness.ts'
import type { PresenceStep } from './subscriber.ts'

/** A connection as the owner of presence ids. */
export interface Participant {
  /** Who is behind it, where that is known. Two connections of one user may take over each other's ids. */
  readonly user: string | undefined
  /** Shows these to this participant alone. */
  show(entries: readonly PresenceEntry[]): void
  /** Resolves whether its peer still answers. */
  isAlive(): Promise<boolean>
}

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

const NOBODY: readonly PresenceEntry[] = []

interface Tracked extends PresenceEntry {
  readonly owner: Participant | null
  readonly strong: boolean
  readonly version: number
}

interface Claims {
  strong: number | undefined
  weak: number
}

/**
 * Who is in a document and what they show (awareness states), by client id.
 *
 * Every stock client re-sends everybody's presence, and a tab that loses its socket declares all others gone. So an id
 * belongs to the connection that claimed it and only that one changes it: the first single presence that a connection
 * announces is its own (a strong claim); a few further unknown ids may come with it (weak claims, which yield to a
 * strong one); everything else is an echo and is dropped unparsed.
 */
export class Presence {
  readonly #limits: PresenceLimits
  readonly #tracked = new Map<number, Tracked>()
  readonly #claims = new Map<Participant, Claims>()
  readonly #onChange: () => void
  #version = 0
  #flushed = 0
  #everyone: { version: number; entries: readonly PresenceEntry[] } = { version: 0, entries: [] }

  /** @param onChange called for each change; the owner decides when to flush */
  constructor(limits: PresenceLimits, onChange: () => void) {
    this.#limits = limits
    this.#onChange = onChange
  }

  get version(): number {
    return this.#version
  }

  /** @throws CoeditError MESSAGE_MALFORMED */
  receive(from: Participant, message: Uint8Array): void {
    if (message.length > MAX_MESSAGE_BYTES) return
    const entries = decodePresence(message)
    const claims = this.#claimsOf(from)
    const claimed = claims.strong === undefined ? onlyPresent(entries) : undefined
    // No connection holds more ids than these. Looking into a state takes time, most where it is no JSON.
    let looks = 1 + this.#limits.maxWeakClaims
    for (const entry of entries) {
      if (entry !== claimed && !this.#mayChange(from, claims, entry)) continue
      if (looks-- === 0) return
      if (!this.#isValid(entry)) continue
      if (entry === claimed) this.#claimStrongly(from, claims, entry)
      else this.#change(from, claims, entry)
    }
  }

  /** Shows everybody that the ids of this participant are gone. */
  leave(participant: Participant): void {
    if (!this.#claims.delete(participant)) return
    for (const entry of [...this.#tracked.values()]) {
      if (entry.owner === participant) this.#depart(entry)
    }
    this.#forgetOldest()
  }

  /** What changed since the last flush, for all; null where nothing did. */
  flush(): PresenceStep | null {
    const after = this.#flushed
    this.#flushed = this.#version
    const entries = this.since(after)
    return entries.length === 0 ? null : { after, version: this.#version, entries }
  }

  /** What changed after `version`, for somebody who missed flushes; version 0 is everybody who is here. */
  since(version: number): readonly PresenceEntry[] {
    if (version === this.#version) return NOBODY
    if (version > 0) return [...this.#tracked.values()].filter((entry) => entry.version > version)
    if (this.#everyone.version !== this.#version) {
      const entries = [...this.#tracked.values()].filter((entry) => !isAbsent(entry.state))
      this.#everyone = { version: this.#version, entries }
    }
    return this.#everyone.entries
  }

  #claimsOf(participant: Participant): Claims {
    const known = this.#claims.get(participant)
    if (known) return known
    const claims: Claims = { strong: undefined, weak: 0 }
    this.#claims.set(participant, claims)
    return claims
  }

  #claimStrongly(from: Participant, claims: Claims, entry: PresenceEntry): void {
    const holder = this.#tracked.get(entry.clientId)
    if (!holder?.owner || !holder.strong || isSameUser(holder.owner, from)) {
      this.#takeOver(from, claims, entry)
      return
    }
    // Somebody else holds it: a half-open socket of the same tab, or an impostor. Only a dead holder gives way.
    const rival = holder.owner
    void rival.isAlive().then((alive) => {
      const unchanged = this.#tracked.get(entry.clientId)?.owner === rival && this.#claims.get(from) === claims
      if (!alive && unchanged) this.#takeOver(from, claims, entry)
    })
  }

  #takeOver(from: Participant, claims: Claims, entry: PresenceEntry): void {
    claims.strong = entry.clientId
    const previous = this.#tracked.get(entry.clientId)
    if (!previous || entry.clock > previous.clock) {
      this.#accept(from, true, entry)
      return
    }
    this.#tracked.set(entry.clientId, { ...previous, owner: from, strong: true })
    // The others have seen as late a clock and would ignore this one. Stock clients answer the news of their own
    // removal with a higher clock.
    from.show([{ ...previous, state: ABSENT }])
  }

  /** Whether the entry counts, by its id and clock alone: its state is not looked into yet. */
  #mayChange(from: Participant, claims: Claims, { clientId, clock, state }: PresenceEntry): boolean {
    const tracked = this.#tracked.get(clientId)
    if (!tracked) return claims.weak < this.#limits.maxWeakClaims && !isAbsent(state)
    return tracked.owner === from && (clock > tracked.clock || (clock === tracked.clock && isAbsent(state)))
  }

  #change(from: Participant, claims: Claims, entry: PresenceEntry): void {
    const tracked = this.#tracked.get(entry.clientId)
    if (!tracked) claims.weak++
    this.#accept(from, tracked?.strong ?? false, entry)
  }

  /** Clients can read JSON in UTF-8: `applyAwarenessUpdate` of y-protocols throws on all else, amid other entries. */
  #isValid({ clock, state }: PresenceEntry): boolean {
    if (clock > MAX_CLOCK || state.length > this.#limits.maxPresenceBytes) return false
    return isUtf8(state) && isJson(state, 0, state.length, MAX_STATE_DEPTH)
  }

  #accept(owner: Participant, strong: boolean, { clientId, clock, state }: PresenceEntry): void {
    // The state is copied: the message is a view into a much larger receive buffer.
    const copy = new Uint8Array(state)
    this.#tracked.set(clientId, { clientId, clock, state: copy, owner, strong, version: ++this.#version })
    this.#onChange()
  }

  #depart({ clientId, clock }: Tracked): void {
    // The entry is deleted first, so that the map's order is the order of departure.
    this.#tracked.delete(clientId)
    const departed = { clientId, clock: clock + 1, state: ABSENT, owner: null, strong: false, version: ++this.#version }
    this.#tracked.set(clientId, departed)
    this.#onChange()
  }

  #forgetOldest(): void {
    if (this.#tracked.size <= MAX_DEPARTED) return
    const departed = [...this.#tracked.values()].filter((entry) => entry.owner === null)
    for (const { clientId } of departed.slice(0, -MAX_DEPARTED)) this.#tracked.delete(clientId)
  }
}

function onlyPresent(entries: readonly PresenceEntry[]): PresenceEntry | undefined {
  const present = entries.filter((entry) => !isAbsent(entry.state))
  return present.length === 1 ? present[0] : undefined
}

function isSameUser(a: Participant, b: Participant): boolean {
  return a.user !== undefined && a.user === b.user
}
