import { fileURLToPath } from 'node:url'
import { Piscina } from 'piscina'
import { CoeditError } from '../common/errors.ts'
import type { Log } from '../common/log.ts'
import { Serial } from '../common/serial.ts'
import { type Clock, systemClock } from '../common/timing.ts'
import { EMPTY_UPDATE } from '../protocol/update/update.ts'
import type { Compaction } from './compaction.ts'
import type { CompactJob, Job, JobOutcome, JobResult } from './jobs.ts'
import { packUpdates, unpackUpdates } from './packing.ts'

export interface WorkerPoolOptions {
  readonly log: Log
  readonly clock?: Clock
  /** How long a compaction may take before it is done by copying, in milliseconds. Default 60,000. */
  readonly compactTimeoutMs?: number
  /** How long an idle thread is kept, in milliseconds. Default 30,000. */
  readonly idleTimeoutMs?: number
  /** Heap of a thread, in MiB: a compaction that exceeds it is done by copying. Default 1,024. */
  readonly maxHeapMiB?: number
}

export interface CompactRequest {
  readonly chunks: readonly Uint8Array[]
  readonly tail: readonly Uint8Array[]
  /** Default 256 KiB. */
  readonly maxChunkBytes?: number
  /** Whether deleted content stays. Default: it is freed. */
  readonly keepsDeleted?: boolean
}

export interface SplitRequest {
  readonly update: Uint8Array
  readonly maxBytes: number
  /** Whether what is nested too deep is taken as deleted. Default: no. */
  readonly dropsTooDeep?: boolean
}

export interface DiffRequest {
  /** Consecutive updates of a document, in order. */
  readonly chunks: readonly Uint8Array[]
  /** What the reader has, in Yjs' encoding. */
  readonly stateVector: Uint8Array
  /** Default 256 KiB. */
  readonly maxBytes?: number
}

export interface MergedEntries {
  readonly groups: readonly Uint8Array[]
  readonly whole: Uint8Array
}

const COMPACT_TIMEOUT_MS = 60_000
/** A document that is edited all the time is compacted each 10 s: it is not to start a thread anew each time. */
const IDLE_TIMEOUT_MS = 30_000
const MAX_HEAP_MIB = 1024
const CHUNK_BYTES = 256 * 1024

/** Yjs deletes nested types by recursion: this is enough for a nesting of some 100,000. */
const STACK_MIB = 64

// Node does not load TypeScript by itself, and a worker does not inherit the loader of a test runner.
const IS_SOURCE = import.meta.url.endsWith('.ts')
const WORKER_FILE = fileURLToPath(new URL(IS_SOURCE ? './worker.ts' : './worker.js', import.meta.url))
const WORKER_ARGUMENTS = IS_SOURCE ? ['--import', 'tsx'] : []

/**
 * Work that would hold up the event loop, in threads of its own: one for compactions, of which one runs at a time, and
 * one for what somebody waits for, so that a compaction of a minute delays no reader. Idle threads end.
 *
 * Updates are copied once on their way to a thread, since they stay in use here, and not on their way back. The copy is
 * made when the thread is free: what waits costs no memory. The queues are bounded by the callers: a document asks for
 * one compaction, and a connection for one other job, at a time.
 */
export class WorkerPool {
  readonly #log: Log
  readonly #clock: Clock
  readonly #compactTimeoutMs: number
  readonly #compactions: Piscina<Job, JobOutcome>
  readonly #requests: Piscina<Job, JobOutcome>
  readonly #compacting = new Serial()
  readonly #requesting = new Serial()
  #isClosed = false

  constructor(options: WorkerPoolOptions) {
    this.#log = options.log
    this.#clock = options.clock ?? systemClock
    this.#compactTimeoutMs = options.compactTimeoutMs ?? COMPACT_TIMEOUT_MS
    this.#compactions = this.#newThread(options)
    this.#requests = this.#newThread(options)
  }

  /** Threads that exist at present. */
  get threads(): number {
    return this.#compactions.threads.length + this.#requests.threads.length
  }

  /**
   * Compacts a document: its snapshot's chunks and the entries after them. Deleted content is freed, unless it is to
   * stay, where Yjs manages that in time and nothing is lost; otherwise the result is a plain copy, which is logged.
   * @throws CoeditError UPDATE_MALFORMED, SERVER_CLOSED
   */
  async compact(request: CompactRequest): Promise<Compaction> {
    const { chunks, tail, maxChunkBytes = CHUNK_BYTES, keepsDeleted = false } = request
    const updates = [...chunks, ...tail]
    const newJob = (collectsGarbage: boolean): CompactJob => {
      return { kind: 'compact', updates: packUpdates(updates), maxChunkBytes, collectsGarbage }
    }
    return this.#compacting.run(async () => {
      if (keepsDeleted) return toCompaction(await this.#run(this.#compactions, () => newJob(false)))
      try {
        return toCompaction(
          await this.#withTimeout((signal) => this.#run(this.#compactions, () => newJob(true), signal)),
        )
      } catch (error) {
        if (this.#isClosed) throw error
        this.#log.warn(
          { err: error, updates: updates.length },
          'a compaction failed; it is done without freeing content',
        )
      }
      return toCompaction(await this.#run(this.#compactions, () => newJob(false)))
    })
  }

  /**
   * Splits an update into pieces of which every prefix is complete.
   * @throws CoeditError UPDATE_MALFORMED, UPDATE_TOO_DEEP, SERVER_CLOSED
   */
  async split({ update, maxBytes, dropsTooDeep = false }: SplitRequest): Promise<Uint8Array[]> {
    return this.#request(() => ({ kind: 'split', updates: packUpdates([update]), maxBytes, dropsTooDeep }))
  }

  /**
   * What a reader lacks of the chunks, in the pieces of `splitDifference`; none where it lacks nothing.
   * @throws CoeditError MESSAGE_MALFORMED, SERVER_CLOSED
   */
  async diff({ chunks, stateVector, maxBytes = CHUNK_BYTES }: DiffRequest): Promise<Uint8Array[]> {
    return this.#request(() => ({ kind: 'diff', updates: packUpdates(chunks), stateVector, maxBytes }))
  }

  /**
   * Merges entries of a log in a row, of which those of different writers may overlap: each group as one update that follows
   * those before, and all of them as one.
   * @throws CoeditError STORAGE_DAMAGED where an entry builds on something that is not there, SERVER_CLOSED
   */
  async merge(groups: readonly (readonly Uint8Array[])[]): Promise<MergedEntries> {
    const merged = await this.#request(() => {
      return { kind: 'merge', updates: packUpdates(groups.flat()), groups: groups.map(({ length }) => length) }
    })
    // Each in memory of its own: some stay longer than others.
    const own = merged.map((update) => new Uint8Array(update))
    return { groups: own.slice(0, -1), whole: own.at(-1) ?? EMPTY_UPDATE }
  }

  /** Ends the threads; jobs under way reject with SERVER_CLOSED. */
  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.all([this.#compactions.destroy(), this.#requests.destroy()])
  }

  #newThread({
    idleTimeoutMs = IDLE_TIMEOUT_MS,
    maxHeapMiB = MAX_HEAP_MIB,
  }: WorkerPoolOptions): Piscina<Job, JobOutcome> {
    const thread = new Piscina<Job, JobOutcome>({
      filename: WORKER_FILE,
      execArgv: WORKER_ARGUMENTS,
      minThreads: 0,
      maxThreads: 1,
      idleTimeout: idleTimeoutMs,
      resourceLimits: { maxOldGenerationSizeMb: maxHeapMiB, stackSizeMb: STACK_MIB },
    })
    // This thread has died while it was idle; the next job starts another one.
    thread.on('error', (error) => this.#log.error({ err: error }, 'a worker thread failed'))
    return thread
  }

  async #request(newJob: () => Job): Promise<Uint8Array[]> {
    const { updates } = await this.#requesting.run(() => this.#run(this.#requests, newJob))
    return unpackUpdates(updates)
  }

  async #run(thread: Piscina<Job, JobOutcome>, newJob: () => Job, signal?: AbortSignal): Promise<JobResult> {
    if (this.#isClosed) throw closedError()
    const job = newJob()
    const outcome = await thread
      .run(job, { transferList: [job.updates.bytes.buffer], signal: signal ?? null })
      .catch((error: unknown) => {
        throw this.#isClosed ? closedError(error) : error
      })
    if (outcome.ok) return outcome.value
    throw outcome.code ? new CoeditError(outcome.code, outcome.message) : new Error(outcome.message)
  }

  /** Aborting a job ends its thread: nothing else stops what is in a loop. */
  async #withTimeout<T>(job: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const controller = new AbortController()
    const limit = this.#compactTimeoutMs
    const cancel = this.#clock.after(limit, () => controller.abort(new Error(`it took more than ${limit} ms`)))
    try {
      return await job(controller.signal)
    } finally {
      cancel()
    }
  }
}

function toCompaction({ updates, contains }: JobResult): Compaction {
  if (!contains) throw new Error('a compaction without its contents')
  return { chunks: unpackUpdates(updates), ...contains }
}

function closedError(cause?: unknown): CoeditError {
  return new CoeditError('SERVER_CLOSED', 'The server is closed.', cause === undefined ? undefined : { cause })
}
