import type { Cancel, Clock } from '../common/timing.ts'
import type { PresenceEntry } from '../protocol/wire/awareness.ts'
import type { Cursor } from './cursor.ts'
import type { Participant } from './participant.ts'
import type { Presence } from './presence.ts'

/** How often it is looked whether others have to be shown it again. */
const RENEWAL_MS = 5_000

/** Takes part in the presence of a document without a connection, for as long as it was told last. */
export abstract class TemporaryParticipant implements Participant {
  readonly user: string | undefined
  /** It may have been shown before, with clocks that nobody here knows of. */
  readonly mayRemember = true
  readonly mayRepeat = false
  readonly #clock: Clock
  #entering: Promise<Cursor> | undefined
  #cursor: Cursor | undefined
  readonly #onLeft: () => void
  #cancelEnd: Cancel = () => undefined
  #cancelRenewal: Cancel = () => undefined

  /** @param onLeft called when it takes part no more */
  constructor(user: string | undefined, clock: Clock, onLeft: () => void) {
    this.user = user
    this.#clock = clock
    this.#onLeft = onLeft
  }

  /** It counts as there until its time is over. */
  get lastHeardAt(): number {
    return this.#clock.now()
  }

  show(_entries: readonly PresenceEntry[]): void {}

  abstract refusePresence(reason: string): void
  abstract isAlive(): Promise<boolean>

  /** Takes part in the document, unless it does already. Rejects as `join` does. */
  async enter(join: () => Promise<Cursor>): Promise<void> {
    const entering = this.#entering ?? join()
    this.#entering = entering
    const cursor = await entering.catch((error: unknown) => {
      if (this.#entering === entering) this.#entering = undefined
      throw error
    })
    if (this.#cursor) return
    // It may have left meanwhile.
    if (this.#entering !== entering) return cursor.release()
    this.#cursor = cursor
    cursor.document.presence.join(this)
    this.#renewLater(cursor)
  }

  readonly leave = (): void => {
    this.presence?.leave(this)
    this.end()
  }

  /** The same without a word to others: the document ends, or the server does. */
  readonly end = (): void => {
    this.#cancelEnd()
    this.#cancelRenewal()
    const cursor = this.#cursor
    this.#cursor = undefined
    this.#entering = undefined
    cursor?.release()
    this.#onLeft()
  }

  /** Where it takes part; undefined before it has entered. */
  protected get presence(): Presence | undefined {
    return this.#cursor?.document.presence
  }

  /** Leaves in so many milliseconds, unless it is told something else meanwhile. */
  protected stay(ttlMs: number): void {
    this.#cancelEnd()
    this.#cancelEnd = this.#clock.after(ttlMs, this.leave)
  }

  #renewLater(cursor: Cursor): void {
    this.#cancelRenewal = this.#clock.after(RENEWAL_MS, () => {
      cursor.document.presence.renew(this)
      this.#renewLater(cursor)
    })
  }
}
