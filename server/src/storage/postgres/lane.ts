import type { Log } from '../../common/log.ts'
import { type Clock, Condition } from '../../common/timing.ts'
import type { StorageStatus } from '../storage.ts'
import type { Dialer, Link } from './link.ts'
import { closedError, isLasting, reasonOf } from './pg-errors.ts'

const FIRST_RETRY_MS = 10
const LAST_RETRY_MS = 2_000

export interface LaneOptions {
  readonly dialer: Dialer
  /** Most connections at a time. */
  readonly max: number
  readonly clock: Clock
  readonly log: Log
}

/** A bounded number of connections for one kind of work, made when they are needed and again when they were lost. */
export class Lane {
  readonly #options: LaneOptions
  readonly #idle: Link[] = []
  readonly #freed = new Condition()
  readonly #givenUp = new Condition()
  #status: StorageStatus = { state: 'ok' }
  #used = 0
  #isGivenUp = false
  #isClosed = false

  constructor(options: LaneOptions) {
    this.#options = options
  }

  /** Whether its work succeeds at present. */
  get status(): StorageStatus {
    return this.#status
  }

  /**
   * Does the work, and again on other connections until it has succeeded: it must be safe to repeat. Rejects with
   * STORAGE_CLOSED once `giveUp` was called, and with an error of the database that repeating would not change.
   */
  async run<T>(work: (link: Link) => Promise<T>): Promise<T> {
    for (let delay = FIRST_RETRY_MS; ; delay = Math.min(2 * delay, LAST_RETRY_MS)) {
      try {
        const result = await this.once(work)
        this.#recovered()
        return result
      } catch (error) {
        if (isLasting(error)) throw error
        this.#failed(error)
        await this.#pause(delay, error)
      }
    }
  }

  /** Does the work on one connection. Rejects as that does, and with STORAGE_CLOSED after `close`. */
  async once<T>(work: (link: Link) => Promise<T>): Promise<T> {
    while (this.#used >= this.#options.max) await this.#freed.wait()
    if (this.#isClosed) throw closedError()
    this.#used++
    let link: Link | undefined
    try {
      link = this.#takeIdle() ?? (await this.#options.dialer.dial())
      return await work(link)
    } catch (error) {
      // It may lead to what has become a standby; the next one is made to the primary.
      if (!isLasting(error)) void link?.end()
      throw error
    } finally {
      if (link && !link.isLost) this.#idle.push(link)
      this.#used--
      this.#freed.notify()
    }
  }

  /** Has work that fails reject instead of being repeated. */
  giveUp(): void {
    this.#isGivenUp = true
    this.#givenUp.notify()
  }

  /** Ends the connections when the work under way is done. After `giveUp`. */
  async close(): Promise<void> {
    this.#isClosed = true
    while (this.#used > 0) await this.#freed.wait()
    await Promise.all(this.#idle.splice(0).map((link) => link.end()))
  }

  #takeIdle(): Link | undefined {
    for (let link = this.#idle.pop(); link; link = this.#idle.pop()) if (!link.isLost) return link
    return undefined
  }

  #recovered(): void {
    if (this.#status.state === 'ok') return
    this.#status = { state: 'ok' }
    this.#options.log.info({}, 'the database answers again')
  }

  #failed(error: unknown): void {
    const { clock, log } = this.#options
    const since = this.#status.state === 'degraded' ? this.#status.since : clock.now()
    if (this.#status.state === 'ok') log.error({ err: error }, 'the database cannot be used; it is tried again')
    this.#status = { state: 'degraded', since, error: reasonOf(error) }
  }

  async #pause(delay: number, cause: unknown): Promise<void> {
    if (!this.#isGivenUp) await this.#givenUp.waitFor(this.#options.clock, delay)
    if (this.#isGivenUp) throw closedError(cause)
  }
}
