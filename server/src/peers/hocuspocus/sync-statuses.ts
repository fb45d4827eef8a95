import { decodeStateVector, indexUpdate } from '../../protocol/update/update.ts'
import { Acknowledgements } from '../acknowledgements.ts'
import type { OfflineQueue } from './offline-queue.ts'

/**
 * What a provider of one document is owed: it counts one for each Step1, which sets its counter to 1, and one for each Update
 * that it makes while it is connected. What it made before came with the state vector of the Step1, and is not counted.
 */
export class SyncStatuses extends Acknowledgements {
  readonly #queue: OfflineQueue
  #stateVector: Uint8Array | undefined
  /** Whether the answer to a Step1 of ours pays for one of the peer's. */
  #owesStep1 = false

  /** @param queue of the socket */
  constructor(queue: OfflineQueue) {
    super()
    this.#queue = queue
  }

  override asked(stateVector: Uint8Array): void {
    this.restart()
    // The message is a view into a much larger receive buffer.
    this.#stateVector = this.#queue.isOver ? undefined : new Uint8Array(stateVector)
    this.#owesStep1 = true
  }

  /** @throws CoeditError UPDATE_MALFORMED for what was not checked before */
  override weigh(parts: readonly Uint8Array[]): number {
    if (this.#queue.isOver || !this.#stateVector) return 1
    return this.#wasMadeBefore(parts, this.#stateVector) ? 0 : 1
  }

  override weighStep2(): number {
    const weight = this.#owesStep1 ? 1 : 0
    this.#owesStep1 = false
    this.#queue.answered()
    return weight
  }

  /** Whether all structs are those that the last Step1 told of; deletions are in no state vector. */
  #wasMadeBefore(parts: readonly Uint8Array[], stateVector: Uint8Array): boolean {
    const ends = new Map<number, number>()
    for (const part of parts) for (const { client, end } of indexUpdate(part).sections) ends.set(client, end)
    if (ends.size === 0) return this.#queue.mayCome
    const clocks = decodeStateVector(stateVector, ends)
    return [...ends].every(([client, end]) => end <= (clocks.get(client) ?? 0))
  }
}
