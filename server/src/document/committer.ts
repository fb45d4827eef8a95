import { hasCode } from '../common/errors.ts'
import type { Log } from '../common/log.ts'
import { type Meters, NO_METERS } from '../common/meters.ts'
import type { Cancel, Clock } from '../common/timing.ts'
import type { Appended, AppendRequest } from '../storage/document-store.ts'
import type { Storage } from '../storage/storage.ts'
import type { Pacing } from './pacing.ts'

/** What one document suffers, and no other one. */
const OF_ONE_DOCUMENT = ['STORAGE_DAMAGED', 'STORAGE_CONFLICT', 'GONE'] as const

/** What has edits to commit: a document. */
export interface CommitSource {
  /** How many milliseconds it still has to rest after its last commit. */
  restMs(): number
  /** Hands over all that is pending, as log entries. */
  takePending(): readonly AppendRequest[]
  /** The entries last handed over are durable, in their order. */
  committed(requests: readonly AppendRequest[], appended: readonly Appended[]): void
  /** The entries last handed over were refused for good. */
  commitFailed(error: unknown): void
}

/** What a source has handed over. */
interface Due {
  readonly source: CommitSource
  readonly requests: readonly AppendRequest[]
}

/**
 * Group commit for the whole process: one batch at a time, with everything that is due by then. After a batch it rests as
 * its pacing has it, which under load makes the groups larger instead of the event loop busier. A source with a rest of
 * its own holds up no other one.
 */
export class Committer {
  readonly #storage: Pick<Storage, 'append'>
  readonly #pacing: Pick<Pacing, 'restMs'>
  readonly #clock: Clock
  readonly #log: Log
  readonly #meters: Meters
  /** With when each asked. */
  #due = new Map<CommitSource, number>()
  #isRunning = false
  #resting: Cancel | undefined
  /** The rest of those sources that alone are due. */
  #waiting: Cancel | undefined
  #settling: (() => void)[] = []

  constructor(
    storage: Pick<Storage, 'append'>,
    pacing: Pick<Pacing, 'restMs'>,
    clock: Clock,
    log: Log,
    meters = NO_METERS,
  ) {
    this.#storage = storage
    this.#pacing = pacing
    this.#clock = clock
    this.#log = log
    this.#meters = meters
  }

  /** Commits what the source has pending with the next batch. */
  request(source: CommitSource): void {
    if (!this.#due.has(source)) this.#due.set(source, this.#clock.now())
    const isHeldUp = this.#waiting ? source.restMs() > 0 : this.#isRunning
    if (isHeldUp) return
    this.#stopWaiting()
    this.#isRunning = true
    // Everything that this turn of the event loop still reads from the sockets joins the batch.
    setImmediate(() => this.#commit())
  }

  /** Resolves when nothing is due or under way. Does not rest until then. */
  settle(): Promise<void> {
    if (!this.#isRunning) return Promise.resolve()
    const settled = new Promise<void>((resolve) => this.#settling.push(resolve))
    if (this.#resting || this.#waiting) this.#goOn()
    return settled
  }

  async #commit(): Promise<void> {
    const sources = [...this.#due.keys()].filter((source) => this.#isSettling || source.restMs() === 0)
    if (sources.length === 0) {
      this.#wait()
      return
    }
    let since = Number.POSITIVE_INFINITY
    for (const source of sources) {
      since = Math.min(since, this.#due.get(source) ?? since)
      this.#due.delete(source)
    }
    const due = sources.map((source) => ({ source, requests: source.takePending() }))
    const pending = due.filter(({ requests }) => requests.length > 0)
    if (pending.length > 0) {
      await this.#append(pending)
      this.#meters.shown(this.#clock.now() - since)
    }
    // What was delivered is written to the sockets by then.
    setImmediate(() => this.#rest())
  }

  async #append(due: readonly Due[]): Promise<void> {
    const requests = due.flatMap(({ requests }) => requests)
    const start = this.#clock.now()
    try {
      const appended = await this.#storage.append(requests)
      this.#meters.committed(requests.length, this.#clock.now() - start)
      this.#distribute(due, appended)
    } catch (error) {
      await this.#refuse(due, error)
    }
  }

  #distribute(due: readonly Due[], appended: readonly Appended[]): void {
    let taken = 0
    for (const { source, requests } of due) {
      this.#settle(source, requests, appended.slice(taken, taken + requests.length))
      taken += requests.length
    }
  }

  /** What one document suffers must cost no other one: nothing was written, so each is tried by itself. */
  async #refuse(due: readonly Due[], error: unknown): Promise<void> {
    if (due.length > 1 && OF_ONE_DOCUMENT.some((code) => hasCode(error, code))) {
      for (const one of due) await this.#append([one])
      return
    }
    this.#meters.commitFailed()
    // Somebody else has removed or filled the document: that is no failure of the storage.
    const level = hasCode(error, 'GONE') ? 'debug' : hasCode(error, 'STORAGE_CONFLICT') ? 'warn' : 'error'
    this.#log[level]({ err: error, documents: due.length }, 'a commit failed: its edits are not acknowledged')
    for (const { source } of due) source.commitFailed(error)
  }

  #settle(source: CommitSource, requests: readonly AppendRequest[], appended: readonly Appended[]): void {
    try {
      source.committed(requests, appended)
    } catch (error) {
      this.#log.error({ err: error }, 'what was committed could not be taken over: the document is loaded anew')
      source.commitFailed(error)
    }
  }

  #rest(restedMs = 0): void {
    const restMs = this.#isSettling ? 0 : this.#pacing.restMs(restedMs)
    if (restMs > 0) this.#resting = this.#clock.after(restMs, () => this.#rest(restedMs + restMs))
    else this.#goOn()
  }

  get #isSettling(): boolean {
    return this.#settling.length > 0
  }

  #goOn(): void {
    this.#resting?.()
    this.#resting = undefined
    this.#stopWaiting()
    if (this.#due.size > 0) {
      setImmediate(() => this.#commit())
      return
    }
    this.#isRunning = false
    for (const resolve of this.#settling.splice(0)) resolve()
  }

  #wait(): void {
    let restMs = Number.POSITIVE_INFINITY
    for (const source of this.#due.keys()) restMs = Math.min(restMs, source.restMs())
    this.#waiting = this.#clock.after(restMs, () => this.#goOn())
  }

  #stopWaiting(): void {
    this.#waiting?.()
    this.#waiting = undefined
  }
}
