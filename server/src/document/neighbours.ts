import type { NodeEntry } from '../protocol/wire/node-messages.ts'

/** How long one who was released is there, in milliseconds, while it may come back at another server. */
export const RELEASED_MS = 4_000

/** The other servers that show one document, as its presence sees them. */
export interface Neighbours {
  /** The number of this server among them. */
  readonly node: number
  /** Somebody has come who takes part: the others are asked who is at them, and told who is here. */
  enter(presence: SharedPresence): void
  /** Nobody takes part here any more. */
  leave(): void
  /** The id is held here, or was until now, and is to be shown by the others as it is here. */
  changed(clientId: number): void
  /** Nobody here holds the id any more, but perhaps somebody elsewhere. */
  freed(clientId: number): void
  /** Asks the others to show those who are at them with clocks that nobody knows yet. Tells whether there are any. */
  ask(): boolean
  /** Resolves whether the connection at that server that holds the id still answers and is not of this user. */
  contest(node: number, clientId: number, user: string | undefined): Promise<boolean>
  /** Has that server show the id with a clock above this one. */
  exceed(node: number, clientId: number, clock: number): void
}

/** The presence of a document, as other servers see it. */
export interface SharedPresence {
  /** What the others are to be shown of these ids, as far as they are held here or were until they left. */
  entriesOf(clientIds: Iterable<number>): readonly NodeEntry[]
  /** All who are held here, with clocks that nobody knows yet. */
  raisedHere(): readonly NodeEntry[]
  /** Takes what a server says of those who are at it; where `isWhole`, all of them. */
  receiveFrom(node: number, entries: readonly NodeEntry[], isWhole: boolean): void
  /** That server holds the id no longer. It is shown until `goneAt`, unless somebody claims it. */
  releasedBy(node: number, clientId: number, goneAt: number): void
  /** The same of all its ids. */
  allReleasedBy(node: number, goneAt: number): void
  /** Resolves whether the id stays with the connection here that holds it, though somebody elsewhere claims it. */
  defend(clientId: number, isSameUser: (user: string | undefined) => boolean): Promise<boolean>
  /** Shows an id that is held here with a clock above this one. */
  exceed(clientId: number, clock: number): void
  /** Shows as gone who was released and has come back nowhere. To be called about twice a second. */
  tick(): void
}

/** Where no other server shows the document. */
export const NO_NEIGHBOURS: Neighbours = {
  node: 0,
  enter: () => undefined,
  leave: () => undefined,
  changed: () => undefined,
  freed: () => undefined,
  ask: () => false,
  contest: () => Promise.resolve(false),
  exceed: () => undefined,
}
