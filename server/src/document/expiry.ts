import { hasCode } from '../common/errors.ts'
import type { Log } from '../common/log.ts'
import { type Clock, Rounds } from '../common/timing.ts'
import type { HistoryStore } from '../storage/history-store.ts'

/** Milliseconds from the start to the first look for what is too old, and from each to the next. */
const FIRST_LOOK_MS = 60_000
const LOOK_MS = 60 * 60 * 1000

export interface ExpiryContext {
  readonly clock: Clock
  readonly log: Log
  readonly storage: HistoryStore
  /** How long history is kept, in milliseconds. */
  readonly keptMs: number
}

/** Removes history that is older than it is to be kept, of all documents, also of those that nobody opens. */
export class Expiry {
  readonly #context: ExpiryContext
  readonly #rounds: Rounds

  constructor(context: ExpiryContext) {
    this.#context = context
    this.#rounds = new Rounds(context.clock, LOOK_MS, () => this.#look())
  }

  start(): void {
    if (this.#context.keptMs < Number.POSITIVE_INFINITY) this.#rounds.start(FIRST_LOOK_MS)
  }

  /** Resolves when nothing is being removed. */
  stop(): Promise<void> {
    return this.#rounds.stop()
  }

  async #look(): Promise<void> {
    const { clock, log, storage, keptMs } = this.#context
    try {
      // Nothing that is there now is kept where nothing is to be.
      await storage.expireHistory(keptMs === 0 ? Number.POSITIVE_INFINITY : clock.now() - keptMs)
    } catch (error) {
      if (hasCode(error, 'STORAGE_CLOSED')) return
      log.error({ err: error }, 'history that is too old could not be removed; it is tried again in an hour')
    }
  }
}
