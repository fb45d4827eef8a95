import type { PresenceEntry } from '../protocol/wire/awareness.ts'

/** A connection as the owner of presence ids. */
export interface Participant {
  /** Who is behind it, where that is known. Two connections of one user may take over each other's ids. */
  readonly user: string | undefined
  /** Whether its client may have been here before: it ignores what is not above the clocks that it remembers. */
  readonly mayRemember: boolean
  /** Whether what it says may repeat what it was shown on this connection. */
  readonly mayRepeat: boolean
  /** When something came from its peer, or was taken by it, in milliseconds of the clock. */
  readonly lastHeardAt: number
  /** Shows these to this participant alone. */
  show(entries: readonly PresenceEntry[]): void
  /** Tells it that a state of its own was dropped, once until one is taken again. */
  refusePresence(reason: string): void
  /** Resolves whether its peer still answers. */
  isAlive(): Promise<boolean>
}
