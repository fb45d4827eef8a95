import { scanUpdate } from '../protocol/update/update.ts'
import type { QuarantinedUpdate } from '../storage/document-store.ts'
import type { Edits } from './edits.ts'

/** Updates of a document that damage had cut off, until what they build on is there. */
export class Quarantine {
  #waiting: readonly QuarantinedUpdate[]
  /** Of those that are in the log again. */
  #releasedIds: number[] = []

  constructor(updates: readonly QuarantinedUpdate[]) {
    this.#waiting = updates
  }

  /** How many wait. */
  get size(): number {
    return this.#waiting.length
  }

  /** Has those taken in again that are whole now. */
  takeInto(edits: Edits): void {
    if (this.#waiting.length === 0) return
    this.#waiting = this.#waiting.filter(({ id, update }) => {
      const complete = edits.take(scanUpdate(update), null)
      if (complete) this.#releasedIds.push(id)
      return !complete
    })
  }

  /** The ids of those that were taken in since this was asked last, to be deleted with the commit that has them. */
  takeReleased(): readonly number[] {
    return this.#releasedIds.splice(0)
  }
}
