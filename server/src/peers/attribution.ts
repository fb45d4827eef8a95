import type { Participant } from '../document/participant.ts'
import type { Presence } from '../document/presence.ts'
import type { Writer } from '../protocol/update/update.ts'

/** Whose the edits of a peer are: its user's; else those of the name that it has shown last, which it claims. */
export class Attribution {
  readonly #participant: Participant
  #writer: Writer | undefined

  /** @param user undefined where that is not known */
  constructor(participant: Participant, user: string | undefined) {
    this.#participant = participant
    this.#writer = user === undefined ? undefined : { name: user, isClaimed: false }
  }

  /** @param presence where the peer shows itself; undefined where it does not, or no longer: it is still who it was */
  writerIn(presence: Presence | undefined): Writer | undefined {
    const name = this.#writer?.isClaimed === false ? undefined : presence?.nameOf(this.#participant)
    if (name !== undefined && name !== this.#writer?.name) this.#writer = { name, isClaimed: true }
    return this.#writer
  }
}
