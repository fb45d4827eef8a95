import type { Typist } from '../content/typing.ts'
import type { Latencies } from './latencies.ts'
import { visitIds } from './structs.ts'

/** When each edit of a document was sent, and which of them its readers have seen. */
export class TypingLedger {
  readonly #latencies: Latencies
  readonly #delivered: (edits: number) => void
  readonly #sentAt = new Map<number, Float64Array>()

  /** `delivered` is told of every edit that reaches a reader for the first time, several at once where they arrive so. */
  constructor(typists: readonly Typist[], latencies: Latencies, delivered: (edits: number) => void) {
    for (const { clientId, updates } of typists) this.#sentAt.set(clientId, new Float64Array(updates.length))
    this.#latencies = latencies
    this.#delivered = delivered
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
        for (let clock = known; clock < to; clock += 1) this.#latencies.add(at - (sentAt[clock] ?? Number.NaN))
        if (to > known) this.#delivered(to - known)
        seen.set(client, Math.max(known, to))
      })
    }
  }
}
