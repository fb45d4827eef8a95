import type { Clock } from '../common/timing.ts'
import { ABSENT, isAbsent, type PresenceEntry } from '../protocol/wire/awareness.ts'
import type { NodeEntry } from '../protocol/wire/node-messages.ts'
import type { Neighbours } from './neighbours.ts'
import type { Participant } from './participant.ts'
import type { PresenceStep } from './subscriber.ts'

/** y-protocols counts a clock up by one for each change; a clock beyond this was made up. */
export const MAX_CLOCK = 2 ** 32 - 1
/** Clocks of clients that left, remembered so that a late echo of their presence cannot bring them back. */
const MAX_DEPARTED = 1_000

const NOBODY: readonly PresenceEntry[] = []

/**
 * A client id with two clocks. `clock` is the highest that anybody may know: what others are shown next is above it. Its
 * owner counts by itself, and its own clock stays behind where the server had something to say.
 */
export interface Tracked extends NodeEntry {
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

export interface Rival {
  readonly node: number
  readonly entry: NodeEntry
}

/** One before it is shown. */
export type Unshown = Omit<Tracked, 'version' | 'shownClock' | 'shownAt'>

/** What holds of an id that somebody holds or that is gone. */
export const HELD = { goneAt: Number.POSITIVE_INFINITY, rival: null }
/** What holds of an id that nobody has ever held. */
export const NOT_HELD = { owner: null, strong: false }

/** Who is in a document and what they show, by client id, and in which order that has changed. */
export class PresenceTable {
  readonly #clock: Clock
  readonly #neighbours: Neighbours
  readonly #onChange: () => void
  readonly #tracked = new Map<number, Tracked>()
  #version = 0
  #flushed = 0
  #everyone: { version: number; entries: readonly PresenceEntry[] } = { version: 0, entries: [] }

  /** @param onChange called for each change */
  constructor(clock: Clock, neighbours: Neighbours, onChange: () => void) {
    this.#clock = clock
    this.#neighbours = neighbours
    this.#onChange = onChange
  }

  get version(): number {
    return this.#version
  }

  get(clientId: number): Tracked | undefined {
    return this.#tracked.get(clientId)
  }

  /** All of them; they may change meanwhile. */
  all(): readonly Tracked[] {
    return [...this.#tracked.values()]
  }

  /** Changes what is known of one without showing it to anybody. */
  note(tracked: Tracked): void {
    this.#tracked.set(tracked.clientId, tracked)
  }

  /** Notes one who has left before it was known here. */
  noteDeparted(entry: NodeEntry): void {
    const shown = { version: this.#version, shownClock: entry.clock, shownAt: this.#clock.now() }
    this.note({ ...entry, ...HELD, ...shown, owner: null })
  }

  /** Shows one who is held here, or was until now, to all here and elsewhere. */
  announce(entry: Unshown): Tracked {
    const shown = this.show(entry)
    this.#neighbours.changed(entry.clientId)
    return shown
  }

  /** Shows one to all here. */
  show(entry: Unshown): Tracked {
    const shown = { ...entry, version: ++this.#version, shownClock: entry.clock, shownAt: this.#clock.now() }
    this.note(shown)
    this.#onChange()
    return shown
  }

  /** Of these ids those who are held here, with clocks that nobody knows yet. */
  raise(clientIds: readonly number[]): readonly Tracked[] {
    return clientIds.flatMap((clientId) => {
      const tracked = this.#tracked.get(clientId)
      if (!tracked || !isHere(tracked.owner) || isAbsent(tracked.state)) return []
      const raised = { ...tracked, clock: tracked.clock + 1 }
      this.note(raised)
      return [raised]
    })
  }

  /** @param knownClock the highest that others have said; it is gone with a higher one */
  depart(clientId: number, knownClock = 0): void {
    const tracked = this.#tracked.get(clientId)
    if (!tracked) return
    const departed = { ...tracked, ...HELD, owner: null, strong: false }
    // The entry is deleted first, so that the map's order is the order of departure.
    this.#tracked.delete(clientId)
    if (isAbsent(tracked.state)) {
      this.note(departed)
      return
    }
    const gone = { ...departed, clock: Math.max(tracked.clock, knownClock) + 1, state: ABSENT }
    if (isHere(tracked.owner)) this.announce(gone)
    else this.show(gone)
  }

  forgetOldest(): void {
    if (this.#tracked.size <= MAX_DEPARTED) return
    const departed = this.all().filter(({ owner, state }) => owner === null && isAbsent(state))
    for (const { clientId } of departed.slice(0, -MAX_DEPARTED)) this.#tracked.delete(clientId)
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

  /** Everybody who is here, by their own clocks: so nobody is set back, whoever of them is shown it. */
  everyone(): readonly PresenceEntry[] {
    if (this.#everyone.version !== this.#version) {
      const present = this.all().filter((entry) => !isAbsent(entry.state))
      const entries = present.map(({ clientId, ownClock, state }) => ({ clientId, clock: ownClock, state }))
      this.#everyone = { version: this.#version, entries }
    }
    return this.#everyone.entries
  }

  #changedSince(version: number): readonly Tracked[] {
    const changed: Tracked[] = []
    for (const entry of this.#tracked.values()) if (entry.version > version) changed.push(entry)
    return changed
  }
}

/** Whether it is held by a connection of this server. */
export function isHere(owner: Tracked['owner']): owner is Participant {
  return owner !== null && typeof owner === 'object'
}

/** Has an owner that counts lower than others see announce itself with the clock that they see. */
export function tellOwner(tracked: Tracked): void {
  const { clientId, clock, owner, state, strong } = tracked
  if (!strong || !isHere(owner) || !isAhead(tracked) || isAbsent(state) || clock > MAX_CLOCK) return
  owner.show([{ clientId, clock: clock - 1, state: ABSENT }])
}

/** Whether others see a higher clock than the owner's own: it would take an older state for a newer one. */
function isAhead({ clock, ownClock }: Tracked): boolean {
  return clock > ownClock
}
