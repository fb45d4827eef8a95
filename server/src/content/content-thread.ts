import { randomInt } from 'node:crypto'
import { Worker } from 'node:worker_threads'
import { CoeditError } from '../common/errors.ts'
import type { Log } from '../common/log.ts'
import { Recent } from '../common/recent.ts'
import type { Cancel, Clock } from '../common/timing.ts'
import {
  type ContentAnswer,
  type ContentJob,
  type ContentRequest,
  type ContentResult,
  type NumberedJob,
  type PositionedUpdate,
  READY,
  type ThreadAnswer,
  type ThreadMessages,
  type Watch,
  type WatchNews,
} from './requests.ts'

/** How long one job may take; then what is in the document is too much for Yjs. */
const JOB_TIMEOUT_MS = 10_000
/** How long one job may keep those of other documents waiting. */
const QUICK_JOB_TIMEOUT_MS = 1_000
/** Documents that are remembered to take long. */
const MAX_SLOW = 1_000
const MAX_HEAP_MIB = 1024

/** As for compactions: Yjs goes through nested types by recursion. */
const STACK_MIB = 64

/** Node does not load TypeScript by itself, and a worker does not inherit the loader of a test runner. */
const IS_SOURCE = import.meta.url.endsWith('.ts')
const THREAD_FILE = new URL(IS_SOURCE ? './thread.ts' : './thread.js', import.meta.url)

interface Pending {
  readonly message: NumberedJob
  resolve(answer: ContentAnswer): void
  reject(error: CoeditError): void
}

/** What one request has come to, and what the watches beside it have to tell. */
export interface Done {
  readonly result: Extract<ContentResult, { ok: true }>
  readonly news: readonly WatchNews[]
}

/**
 * One thread that does jobs in turn and keeps the documents of those before. It starts with the first one. What kills it, or
 * takes too long, fails alone, or is to be asked for again and goes to a slower thread where there is one; the others are told
 * that what they had there is lost.
 */
export class ContentThread {
  readonly #clock: Clock
  readonly #log: Log
  /** Where documents go on that have ended this thread, or could not be built in it. */
  readonly #slower: ContentThread | undefined
  /** Which those are. */
  readonly #slow = new Recent<string, true>(MAX_SLOW)
  #worker: Worker | undefined
  /** Whether the worker has started, for which a busy machine may need longer than for a job. */
  #isReady = false
  #pending: Pending[] = []
  #unsent: ThreadMessages[number][] = []
  #cancelDeadline: Cancel = () => undefined
  #lastId = 0
  #clientId = newClientId()
  #isClosed = false

  /** @param slower has jobs take a tenth of the time at most here, and what takes longer go on there */
  constructor(clock: Clock, log: Log, slower?: ContentThread) {
    this.#clock = clock
    this.#log = log
    this.#slower = slower
  }

  /** Under which all is written, so that a document does not grow by a client with each time that it is opened. */
  get clientId(): number {
    return this.#clientId
  }

  /** Something that was written under the present one may come to light yet, or is of no value any more. */
  renewClientId(): void {
    this.#clientId = newClientId()
  }

  /** Rejects with SERVER_CLOSED and, where the job ends the thread and there is no slower one, with DOCUMENT_UNREADABLE. */
  run(job: ContentJob): Promise<ContentAnswer> {
    if (this.#isClosed) return Promise.reject(closed())
    if (this.#slower && this.#slow.get(job.document)) return this.#slower.run(job)
    return new Promise((resolve, reject) => {
      const pending = { message: { id: ++this.#lastId, job }, resolve, reject }
      this.#pending.push(pending)
      this.#send(pending.message)
      if (this.#pending.length === 1) this.#watch()
    })
  }

  /**
   * Builds a document for one request, and forgets it. Rejects as `run` does, and with the code that the request is
   * refused with.
   * @param updates all of the document
   */
  async runOnce(
    document: string,
    request: ContentRequest,
    updates: readonly PositionedUpdate[] = [],
    watches: readonly Watch[] = [],
  ): Promise<Done> {
    const job = { document, isWhole: true, clientId: this.#clientId, updates, watches, requests: [request] }
    let answer: ContentAnswer
    do {
      answer = await this.run(job)
    } while (answer.results.length === 0)
    this.forget(document)
    const { results, news } = answer
    const [result] = results
    if (!result.ok) throw new CoeditError(result.code, result.message)
    return { result, news }
  }

  forget(document: string): void {
    if (this.#worker) this.#send({ forget: document })
    this.#slower?.forget(document)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#cancelDeadline()
    for (const { reject } of this.#pending.splice(0)) reject(closed())
    await Promise.all([this.#worker?.terminate(), this.#slower?.close()])
  }

  /** One message for all of a turn of the event loop: each costs several times what a small job does. */
  #send(message: ThreadMessages[number]): void {
    this.#worker ??= this.#start()
    if (this.#unsent.length === 0) setImmediate(() => this.#flush())
    this.#unsent.push(message)
  }

  #flush(): void {
    const messages: ThreadMessages = this.#unsent
    this.#unsent = []
    if (messages.length > 0) this.#worker?.postMessage(messages)
  }

  #start(): Worker {
    const worker = new Worker(IS_SOURCE ? loadingSource() : THREAD_FILE, {
      eval: IS_SOURCE,
      resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MIB, stackSizeMb: STACK_MIB },
    })
    worker.unref()
    this.#isReady = false
    worker.on('message', (message: ThreadAnswer | typeof READY) => {
      if (message !== READY) this.#answered(message)
      else if (worker === this.#worker) this.#ready()
    })
    worker.on('error', (error) => this.#lost(worker, error))
    worker.on('exit', () => this.#lost(worker))
    return worker
  }

  #ready(): void {
    this.#isReady = true
    this.#watch()
  }

  /** Gives the job that the thread is at so much time from now on. */
  #watch(): void {
    this.#cancelDeadline()
    if (this.#pending.length === 0) return
    const timeoutMs = this.#slower && this.#isReady ? QUICK_JOB_TIMEOUT_MS : JOB_TIMEOUT_MS
    const [current] = this.#pending
    // An event loop that was busy as long comes to its timers before it reads the answer.
    this.#cancelDeadline = this.#clock.after(timeoutMs, () =>
      setImmediate(() => {
        const worker = this.#worker
        if (!worker || this.#pending[0] !== current) return
        void worker.terminate()
        this.#lost(worker, new Error(`it took more than ${timeoutMs} ms`))
      }),
    )
  }

  #answered({ id, answer }: ThreadAnswer): void {
    const pending = this.#pending.find(({ message }) => message.id === id)
    if (!pending) return
    this.#pending = this.#pending.filter((other) => other !== pending)
    this.#watch()
    if (answer.unreadable !== undefined) this.#slow.set(pending.message.job.document, true)
    pending.resolve(answer)
  }

  /** The thread has ended with the job it was at; the others begin anew. */
  #lost(worker: Worker, cause?: Error): void {
    if (this.#worker !== worker) return
    this.#worker = undefined
    this.#unsent = []
    this.#cancelDeadline()
    const [culprit, ...others] = this.#pending.splice(0)
    if (culprit) this.#giveUp(culprit, cause)
    for (const { resolve } of others) resolve(LOST)
  }

  #giveUp({ message, resolve, reject }: Pending, cause?: Error): void {
    const { document } = message.job
    if (this.#slower) {
      this.#slow.set(document, true)
      this.#log.warn({ err: cause, document }, 'what takes long with a document is done apart from others')
      resolve(LOST)
      return
    }
    if (!this.#isClosed) this.#log.error({ err: cause, document }, 'a thread for content has ended')
    reject(new CoeditError('DOCUMENT_UNREADABLE', `Yjs cannot build '${document}'`, { cause }))
  }
}

/** The job is to be asked for again, with the whole document. */
const LOST: ContentAnswer = { results: [], news: [], isLost: true }

function newClientId(): number {
  return randomInt(2 ** 32)
}

function loadingSource(): string {
  const loader = import.meta.resolve('tsx/esm/api')
  return `import('${loader}').then(({ register }) => register() && import('${THREAD_FILE.href}'))`
}

function closed(): CoeditError {
  return new CoeditError('SERVER_CLOSED', 'the server is closed')
}
