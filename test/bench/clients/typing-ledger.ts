import type { Typist } from '../content/typing.ts'
import { visitIds } from './structs.ts'

/** What comes to know of deliveries. */
export interface Delivered {
  /** An edit has reached a reader for the first time, after so many milliseconds. */
  seen(ms: number): void
  /** So many have, which arrived together. */
  delivered(edits: number): void
}

/** When each edit of a document was sent, and which of them its readers have seen. */
export class TypingLedger {
  readonly #deliveries: Delivered
  readonly #sentAt = new Map<number, Float64Array>()

  constructor(typists: readonly Typist[], deliveries: Delivered) {
    for (const { clientId, updates } of typists) this.#sentAt.set(clientId, new Float64Array(updates.length))
    this.#deliveries = deliveries
  }

  sent(typist: Typist, edit: number): void {
    const times = this.#sentAt.get(typist.clientId)
    if (times) times[edit] = performance.now()
  }

  /** Returns what one reader does with the content it gets; its own edits are not counted for it. */
  reader(ownClientId?: number): (update: Uint8Array, at: number) => void {
    const seen = new Map<number, number>()
    return (update, at) => {
      visitIds(update, (client, from, to) => {
        const sentAt = this.#sentAt.get(client)
        if (!sentAt || client === ownClientId) return
        const known = seen.get(client) ?? 0
        if (from > known) throw new Error(`Edits ${known} to ${from - 1} of client ${client} were not delivered.`)
        for (let clock = known; clock < to; clock += 1) this.#deliveries.seen(at - (sentAt[clock] ?? Number.NaN))
        if (to > known) this.#deliveries.delivered(to - known)
        seen.set(client, Math.max(known, to))
      })
    }
  }
}
