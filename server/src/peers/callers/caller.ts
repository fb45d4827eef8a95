import type { Meters } from '../../common/meters.ts'
import type { Clock } from '../../common/timing.ts'
import type { Config } from '../../config/config.ts'
import type { Cursor } from '../../document/cursor.ts'
import type { Author } from '../../document/subscriber.ts'
import { TemporaryParticipant } from '../../document/temporary-participant.ts'
import type { Writer } from '../../protocol/update/update.ts'
import { Attribution } from '../attribution.ts'
import { Throttle } from '../throttle.ts'

/** How long a caller is there of whom nothing is heard. Clients renew their presence every 15 s, hidden pages once a minute. */
const PRESENT_MS = 90_000
/** The same once its stream has ended: it may be opened anew, also at another server. */
const STREAMLESS_MS = 5_000
/** How long one who says goodbye is still shown: it may come back at once by a WebSocket. */
const GOODBYE_MS = 1_000

export interface CallerTerms {
  /** Undefined where that is not known. */
  readonly user: string | undefined
  /** By which it is known again at each server. */
  readonly key: string
  readonly config: Config
  readonly clock: Clock
  readonly meters: Meters
  readonly join: (caller: Caller) => Promise<Cursor>
  /** Called when it is forgotten. */
  readonly onLeft: () => void
}

/**
 * A client that has no WebSocket and calls by HTTP, one request after the other, be it at this server or at others: what
 * lasts between its requests, for as long as it is heard of.
 */
export class Caller extends TemporaryParticipant implements Author {
  readonly isLimited = true
  readonly throttle: Throttle
  readonly #terms: CallerTerms
  readonly #attribution: Attribution
  #streams = 0
  #isLeaving = false
  #wasRefused = false

  constructor(terms: CallerTerms) {
    // One without a user takes over what is its own at another server by its key.
    super(terms.user ?? `\0${terms.key}`, terms.clock, terms.onLeft)
    this.#terms = terms
    this.#attribution = new Attribution(this, terms.user)
    this.throttle = new Throttle(terms.config, terms.clock, terms.meters)
  }

  get writer(): Writer | undefined {
    return this.#attribution.writerIn(this.presence)
  }

  /** It calls. @param isLeaving whether that is its last word, so that it gives way to whoever claims what is its own */
  heard(isLeaving: boolean): void {
    this.#isLeaving = isLeaving
    this.stay(isLeaving ? GOODBYE_MS : PRESENT_MS)
  }

  /**
   * Says in an awareness update who it is. Resolves with whether that is shown; rejects as `Documents.join` does, and with
   * MESSAGE_MALFORMED.
   */
  async say(entries: Uint8Array): Promise<boolean> {
    await this.enter(() => this.#terms.join(this))
    this.#wasRefused = false
    this.presence?.receive(this, entries)
    return !this.#wasRefused
  }

  /** A stream to its client has begun, by a request like any other. Returns what is to be called when it ends. */
  streams(): () => void {
    this.#streams++
    if (!this.#isLeaving) this.stay(PRESENT_MS)
    return () => {
      this.#streams--
      if (this.#streams === 0 && !this.#isLeaving) this.stay(STREAMLESS_MS)
    }
  }

  refusePresence(): void {
    this.#wasRefused = true
  }

  async isAlive(): Promise<boolean> {
    return !this.#isLeaving
  }
}
