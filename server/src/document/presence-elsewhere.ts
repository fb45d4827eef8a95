import type { Clock } from '../common/timing.ts'
import { isAbsent } from '../protocol/wire/awareness.ts'
import type { NodeEntry } from '../protocol/wire/node-messages.ts'
import { type Neighbours, RELEASED_MS, type SharedPresence } from './neighbours.ts'
import type { Participant } from './participant.ts'
import { type Claimants, isOther } from './presence-claims.ts'
import { HELD, isHere, NOT_HELD, type PresenceTable, type Rival, type Tracked, tellOwner } from './presence-table.ts'

/** How long somebody who comes back is shown those whom other servers show anew for it. */
const RETURN_MS = 2_000

export interface ElsewhereContext {
  readonly clock: Clock
  readonly table: PresenceTable
  readonly claimants: Claimants
  readonly neighbours: Neighbours
  /** Ids whose owner is being asked whether it is there. */
  readonly contested: Set<number>
}

/**
 * Those who are at other servers. Their servers say with which clocks they are shown, so that nothing is shown twice with
 * the same one. They alone raise those for who comes back, and decide whether a connection of theirs gives way.
 */
export class PresenceElsewhere implements SharedPresence {
  readonly #context: ElsewhereContext
  readonly #table: PresenceTable
  /** Until when those who came back are shown whom other servers show anew. */
  readonly #returning = new Map<Participant, number>()

  constructor(context: ElsewhereContext) {
    this.#context = context
    this.#table = context.table
  }

  /** Has other servers show a participant whom it may have seen with clocks that only they know. */
  welcome(participant: Participant): void {
    const { clock, neighbours } = this.#context
    if (neighbours.ask()) this.#returning.set(participant, clock.now() + RETURN_MS)
  }

  /** A participant has gone, with the ids that it held. */
  left(participant: Participant, clientIds: Iterable<number>): void {
    this.#returning.delete(participant)
    for (const clientId of clientIds) this.#depart(clientId)
    this.#table.forgetOldest()
  }

  /** Nobody takes part here any more, so that nothing is known of others. */
  close(): void {
    this.#context.neighbours.leave()
    for (const { clientId, owner, state } of this.#table.all()) {
      if (!isHere(owner) && !isAbsent(state)) this.#table.depart(clientId)
    }
  }

  entriesOf(clientIds: Iterable<number>): readonly NodeEntry[] {
    return [...clientIds].flatMap((clientId) => {
      const tracked = this.#table.get(clientId)
      const isOurs = tracked && (isHere(tracked.owner) || (tracked.owner === null && isAbsent(tracked.state)))
      return isOurs ? [tracked] : []
    })
  }

  raisedHere(): readonly NodeEntry[] {
    return this.#table.raise(this.#table.all().map(({ clientId }) => clientId))
  }

  receiveFrom(node: number, entries: readonly NodeEntry[], isWhole: boolean): void {
    for (const entry of entries) this.#take(node, entry, isWhole)
    this.#table.forgetOldest()
    if (!isWhole) return
    const listed = new Set(entries.map(({ clientId }) => clientId))
    const goneAt = this.#releasedUntil()
    for (const { clientId } of this.#table.all()) if (!listed.has(clientId)) this.releasedBy(node, clientId, goneAt)
    const present = entries.filter(({ clientId }) => this.#table.get(clientId)?.owner === node)
    for (const viewer of this.#returning.keys()) {
      const claims = this.#context.claimants.of(viewer)
      if (claims) viewer.show(present.filter(({ clientId }) => isOther(claims, clientId)))
    }
  }

  releasedBy(node: number, clientId: number, goneAt: number): void {
    const tracked = this.#table.get(clientId)
    if (tracked?.rival?.node === node) this.#table.note({ ...tracked, rival: null })
    else if (tracked?.owner === node) this.#release(tracked, goneAt)
  }

  allReleasedBy(node: number, goneAt: number): void {
    for (const { clientId } of this.#table.all()) this.releasedBy(node, clientId, goneAt)
  }

  async defend(clientId: number, isUser: (user: string | undefined) => boolean): Promise<boolean> {
    const { owner, strong } = this.#table.get(clientId) ?? NOT_HELD
    if (!isHere(owner)) return false
    if (strong && !isUser(owner.user) && (await owner.isAlive())) return true
    if (this.#table.get(clientId)?.owner === owner) this.#lose(clientId, owner)
    return false
  }

  exceed(clientId: number, clock: number): void {
    const tracked = this.#table.get(clientId)
    if (!tracked || !isHere(tracked.owner) || clock < tracked.clock) return
    tellOwner(this.#table.announce({ ...tracked, clock: clock + 1 }))
  }

  tick(): void {
    const now = this.#context.clock.now()
    for (const [participant, until] of this.#returning) if (until <= now) this.#returning.delete(participant)
    for (const { clientId, goneAt } of this.#table.all()) if (goneAt <= now) this.#table.depart(clientId)
    this.#table.forgetOldest()
  }

  /** Takes what another server says of one who is at it. */
  #take(node: number, entry: NodeEntry, isWhole: boolean): void {
    const known = this.#table.get(entry.clientId)
    const rival = { node, entry }
    if (isAbsent(entry.state)) this.#takeDeparture(known, rival)
    else if (!known || known.owner === null) this.#accept(node, entry, isWhole)
    else if (isHere(known.owner)) this.#settle(known, known.owner, rival)
    else if (outranks(rival, known, known.owner)) this.#accept(node, entry, isWhole)
    else this.#doubt(known, known.owner, rival)
  }

  #accept(node: number, entry: NodeEntry, isWhole: boolean): void {
    const { clientId, clock, state } = entry
    const known = this.#table.get(clientId)
    const isSame = known !== undefined && Buffer.compare(known.state, state) === 0
    const isBehind = known !== undefined && (clock < known.clock || (clock === known.clock && !isSame))
    if (isBehind) this.#context.neighbours.exceed(node, clientId, known.clock)
    const rival = known?.owner === node ? known.rival : null
    const accepted = { ...entry, ...HELD, rival, clock: Math.max(clock, known?.clock ?? 0), owner: node }
    // Who is shown anew for somebody who came back is shown to nobody else.
    if (isSame && isWhole) this.#table.note({ ...known, ...accepted })
    else this.#table.show(accepted)
  }

  #takeDeparture(known: Tracked | undefined, { node, entry }: Rival): void {
    // It is remembered, so that a late echo of its presence cannot bring it back.
    if (!known) this.#table.noteDeparted(entry)
    else if (known.owner === node) this.#depart(entry.clientId, entry.clock - 1)
    else if (known.rival?.node === node) this.#table.note({ ...known, rival: null })
  }

  /** Both a connection here and another server claim the id: the one that has held it longer keeps it while it is there. */
  #settle(known: Tracked, owner: Participant, rival: Rival): void {
    const { neighbours } = this.#context
    const { clientId, strong, state } = known
    const isYielding = isAbsent(state) || outranks(rival, known, neighbours.node)
    if (!isYielding) {
      this.#table.note({ ...known, rival })
      neighbours.changed(clientId)
    } else if (strong) void this.#challenge(clientId, owner, rival)
    else this.#yield(clientId, owner, rival)
  }

  /** Gives the id up where the connection elsewhere that has held it longer is there. */
  async #challenge(clientId: number, owner: Participant, rival: Rival): Promise<void> {
    const { neighbours, contested } = this.#context
    if (contested.has(clientId)) return
    contested.add(clientId)
    const isAlive = await neighbours.contest(rival.node, clientId, owner.user)
    contested.delete(clientId)
    if (this.#table.get(clientId)?.owner !== owner) return
    if (isAlive) {
      this.#yield(clientId, owner, rival)
      // It may have changed meanwhile.
      neighbours.ask()
    } else neighbours.changed(clientId)
  }

  #yield(clientId: number, owner: Participant, { node, entry }: Rival): void {
    this.#lose(clientId, owner)
    this.#context.neighbours.freed(clientId)
    this.#accept(node, entry, false)
  }

  /** Of two servers that claim an id, the one that has held it longer may be dead. */
  #doubt(known: Tracked, owner: number, rival: Rival): void {
    const { clientId } = known
    this.#table.note({ ...known, rival })
    if (known.rival?.node === rival.node) return
    void this.#context.neighbours.contest(owner, clientId, undefined).then((isAlive) => {
      if (!isAlive) this.releasedBy(owner, clientId, this.#releasedUntil())
    })
  }

  /** The connection here holds the id no longer, for somebody elsewhere does. */
  #lose(clientId: number, owner: Participant): void {
    const tracked = this.#table.get(clientId)
    if (!tracked) return
    this.#context.claimants.disclaim(owner, clientId)
    this.#release(tracked, this.#releasedUntil())
  }

  /** Whoever claims it as well has it now; otherwise it is there until `goneAt`. */
  #release(tracked: Tracked, goneAt: number): void {
    const { rival, state } = tracked
    const free = { ...tracked, ...HELD, owner: null, strong: false }
    this.#table.note(isAbsent(state) ? free : { ...free, goneAt })
    if (rival) this.#accept(rival.node, rival.entry, false)
  }

  /** @param knownClock the highest that others have said */
  #depart(clientId: number, knownClock = 0): void {
    const tracked = this.#table.get(clientId)
    if (!tracked?.rival) {
      this.#table.depart(clientId, knownClock)
      return
    }
    // It had come back elsewhere before its connection was known to be dead.
    this.#release(tracked, this.#releasedUntil())
    if (isHere(tracked.owner)) this.#context.neighbours.freed(clientId)
  }

  #releasedUntil(): number {
    return this.#context.clock.now() + RELEASED_MS
  }
}

/** Whether the claim of a server goes before that of another one, the holder: all servers judge alike. */
function outranks({ node, entry }: Rival, { strong, claimedAt }: Tracked, holder: number): boolean {
  if (node === holder) return true
  if (strong !== entry.strong) return entry.strong
  if (claimedAt !== entry.claimedAt) return entry.claimedAt < claimedAt
  return node < holder
}
