import { createHash } from 'node:crypto'
import { CoeditError } from '../common/errors.ts'
import type { Clock } from '../common/timing.ts'
import type { Documents } from '../document/documents.ts'
import { TemporaryParticipant } from '../document/temporary-participant.ts'
import { encodePresence } from '../protocol/wire/awareness.ts'

export interface GuestsContext {
  readonly clock: Clock
  readonly documents: Documents
  /** How many a document may have. */
  readonly maxGuests: number
}

/** Who shows itself in a document without a connection. */
export interface Showing {
  readonly document: string
  /** By which the same one is known again. */
  readonly id: string
  readonly user: string | undefined
}

/** Services that show themselves among the editors of documents, each for as long as it renews that. */
export class Guests {
  readonly #context: GuestsContext
  /** By document, then by client id. */
  readonly #documents = new Map<string, Map<number, Guest>>()

  constructor(context: GuestsContext) {
    this.#context = context
  }

  /**
   * Shows a state for so many milliseconds, unless it is renewed. Rejects with TOO_MANY_CONNECTIONS, with BODY_INVALID for a
   * state that is none, and as `Documents.join` does.
   */
  async show(showing: Showing, state: object, ttlMs: number): Promise<void> {
    const clientId = clientIdOf(showing)
    const guests = this.#documents.get(showing.document) ?? new Map<number, Guest>()
    const forget = () => {
      if (guests.get(clientId) === guest) guests.delete(clientId)
      if (guests.size === 0 && this.#documents.get(showing.document) === guests) {
        this.#documents.delete(showing.document)
      }
    }
    const guest: Guest = guests.get(clientId) ?? new Guest(clientId, showing.user, this.#context.clock, forget)
    if (guests.size >= this.#context.maxGuests && !guests.has(clientId)) {
      throw new CoeditError('TOO_MANY_CONNECTIONS', `'${showing.document}' has as many guests as it may have`)
    }
    this.#documents.set(showing.document, guests.set(clientId, guest))
    try {
      await guest.enter(() =>
        this.#context.documents.join(showing.document, { participant: guest, onEnd: guest.leave }),
      )
      guest.say(Buffer.from(JSON.stringify(state)), ttlMs)
    } catch (error) {
      guest.leave()
      throw error
    }
  }

  /** Shows it no longer, if it was shown at this server. */
  end(showing: Showing): void {
    this.#documents.get(showing.document)?.get(clientIdOf(showing))?.leave()
  }

  close(): void {
    for (const guests of [...this.#documents.values()]) for (const guest of [...guests.values()]) guest.leave()
  }
}

/** One of them, in one document. */
class Guest extends TemporaryParticipant {
  readonly #clientId: number
  #ownClock = 0
  #refusal: string | undefined

  constructor(clientId: number, user: string | undefined, clock: Clock, onLeft: () => void) {
    super(user, clock, onLeft)
    this.#clientId = clientId
  }

  refusePresence(reason: string): void {
    this.#refusal = reason
  }

  /** It gives way to itself at another server. */
  async isAlive(): Promise<boolean> {
    return false
  }

  /** @throws CoeditError BODY_INVALID */
  say(state: Uint8Array, ttlMs: number): void {
    this.stay(ttlMs)
    const entry = { clientId: this.#clientId, clock: ++this.#ownClock, state }
    this.presence?.receive(this, encodePresence([entry]))
    const refusal = this.#refusal
    this.#refusal = undefined
    if (refusal !== undefined) throw new CoeditError('BODY_INVALID', refusal)
  }
}

/** The same at each server. */
function clientIdOf({ document, id, user }: Showing): number {
  return createHash('sha256')
    .update(JSON.stringify([document, user ?? null, id]))
    .digest()
    .readUInt32BE()
}
