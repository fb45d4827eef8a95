import { hasCode } from '../common/errors.ts'
import type { Log } from '../common/log.ts'
import type { Cancel, Clock } from '../common/timing.ts'
import type { Appended, AppendRequest, Storage } from '../storage/storage.ts'

/** What has edits to commit: a document. */
export interface CommitSource {
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

/** Between two batches, so that a busy process fsyncs at most some 150 times a second: half the CPU (measured). */
const MIN_GAP_MS = 6
/** Longer gaps would only add latency: the disk has rested enough. */
const MAX_GAP_MS = 10

/**
 * Group commit for the whole process: one batch at a time, with everything that is due by then. After a batch there is a
 * gap of about its length, which under load makes the groups larger instead of the disk busier; somebody who types alone
 * never meets it.
 */
export class Committer {
  readonly #storage: Pick<Storage, 'append'>
  readonly #clock: Clock
  readonly #log: Log
  #due = new Set<CommitSource>()
  #isRunning = false
  #gap: Cancel | undefined
  #settling: (() => void)[] = []

  constructor(storage: Pick<Storage, 'append'>, clock: Clock, log: Log) {
    this.#storage = storage
    this.#clock = clock
    this.#log = log
  }

  /** Commits what the source has pending with the next batch. */
  request(source: CommitSource): void {
    this.#due.add(source)
    if (this.#isRunning) return
    this.#isRunning = true
    // Everything that this turn of the event loop still reads from the sockets joins the batch.
    setImmediate(() => this.#commit())
  }

  /** Resolves when nothing is due or under way. Skips the gaps. */
  settle(): Promise<void> {
    if (!this.#isRunning) return Promise.resolve()
    const settled = new Promise<void>((resolve) => this.#settling.push(resolve))
    if (this.#gap) this.#goOn()
    return settled
  }

  async #commit(): Promise<void> {
    const started = this.#clock.now()
    const sources = this.#due
    this.#due = new Set()
    const due = [...sources].map((source) => ({ source, requests: source.takePending() }))
    await this.#append(due.filter(({ requests }) => requests.length > 0))
    this.#rest(this.#clock.now() - started)
  }

  async #append(due: readonly Due[]): Promise<void> {
    try {
      this.#distribute(due, await this.#storage.append(due.flatMap(({ requests }) => requests)))
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
    if (due.length > 1 && (hasCode(error, 'STORAGE_DAMAGED') || hasCode(error, 'STORAGE_CONFLICT'))) {
      for (const one of due) await this.#append([one])
      return
    }
    this.#log.error({ err: error, documents: due.length }, 'a commit failed: its edits are not acknowledged')
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

  #rest(lastMs: number): void {
    if (this.#settling.length > 0) {
      this.#goOn()
      return
    }
    const gap = Math.min(Math.max(lastMs, MIN_GAP_MS), MAX_GAP_MS)
    this.#gap = this.#clock.after(gap, () => this.#goOn())
  }

  #goOn(): void {
    this.#gap?.()
    this.#gap = undefined
    if (this.#due.size > 0) {
      setImmediate(() => this.#commit())
      return
    }
    this.#isRunning = false
    for (const resolve of this.#settling.splice(0)) resolve()
  }
}
