import type { Clock } from '../common/clock.ts'
import { CoeditError } from '../common/errors.ts'
import type { Log } from '../common/log.ts'
import { RejectionDelay } from '../common/rejection-delay.ts'
import { inTurns } from '../common/turns.ts'
import type { Config } from '../config/config.ts'
import type { HookCalls } from '../hooks/calls.ts'
import type { Storage } from '../storage/storage.ts'
import type { WorkerPool } from '../workers/pool.ts'
import { Committer } from './committer.ts'
import { Compactor } from './compactor.ts'
import { Document, type DocumentContext } from './document.ts'
import { DocumentLog } from './document-log.ts'
import { Follower, type Pace } from './follower.ts'
import { InProcess } from './in-process.ts'
import { PrivateBytes } from './private-bytes.ts'
import { type Reading, type ReadingContext, readDifference, readSince } from './reading.ts'
import { LoadedSnapshot } from './snapshot.ts'
import { SnapshotCache } from './snapshot-cache.ts'
import type { Subscriber } from './subscriber.ts'

export interface DocumentsContext {
  readonly config: Config
  readonly clock: Clock
  readonly log: Log
  readonly storage: Storage
  readonly workers: WorkerPool
  readonly hooks: HookCalls
}

/** Hooks that want to hear of each commit. */
const AT_ONCE: Pace = { quietMs: 0, maxWaitMs: 0 }
/** Any time at all. */
const ALIVE_MS = 60_000

/** The open documents. Each is loaded once however many ask for it, and leaves memory when nobody needs it. */
export class Documents {
  /** For the code around the server. */
  readonly inProcess: InProcess
  /** By name: how long a connection to a document that could not be opened is kept waiting before it hears so. */
  readonly refusals: RejectionDelay
  readonly #context: DocumentsContext
  readonly #committer: Committer
  readonly #compactor: Compactor
  readonly #snapshots: SnapshotCache
  readonly #open = new Map<string, Document>()
  readonly #opening = new Map<string, Promise<Document>>()
  readonly #reloading = new Map<Document, { seq: number; snapshot: Promise<LoadedSnapshot | null> }>()
  readonly #documentContext: DocumentContext
  readonly #readingContext: ReadingContext
  #isClosing = false
  #onEmpty: (() => void) | undefined

  constructor(context: DocumentsContext) {
    const { config, clock, log, storage, workers } = context
    const loadSnapshot = (document: Document) => this.#loadSnapshot(document)
    this.#context = context
    this.inProcess = new InProcess(this, config)
    this.refusals = new RejectionDelay(clock)
    this.#committer = new Committer(storage, clock, log)
    this.#snapshots = new SnapshotCache(config.snapshotCacheBytes)
    this.#compactor = new Compactor(
      { config, clock, log, storage, workers, snapshots: this.#snapshots, loadSnapshot },
      (document) => this.#changed(document),
    )
    this.#documentContext = {
      config,
      clock,
      requestCommit: (source) => this.#committer.request(source),
      changed: (document) => this.#changed(document),
    }
    this.#readingContext = {
      loadSnapshot,
      privateBytes: new PrivateBytes(config.maxPrivateBytes),
      diff: (chunks, stateVector) => workers.diff({ chunks, stateVector, maxBytes: config.chunkBytes }),
      chunkBytes: config.chunkBytes,
    }
  }

  /** How many documents are in memory. */
  get size(): number {
    return this.#open.size
  }

  /**
   * Resolves with the document once it is loaded and the subscriber follows it. Subscribing in the same step is what
   * keeps the document from leaving memory between the two.
   */
  join(name: string, subscriber: Subscriber): Promise<Document> {
    if (this.#isClosing) return Promise.reject(new CoeditError('SERVER_CLOSED', 'the server is closing'))
    const open = this.#open.get(name)
    if (open) {
      open.subscribe(subscriber)
      return Promise.resolve(open)
    }
    return this.#load(name).then((document) => {
      document.subscribe(subscriber)
      return document
    })
  }

  /** A document that is in memory. It may be visited even while the server closes: its hooks are told of the last edits. */
  find(name: string): Document | undefined {
    return this.#open.get(name)
  }

  /** What a cursor at `position` has missed. */
  readSince(document: Document, position: number): Promise<Reading> {
    return readSince(document, position, this.#readingContext)
  }

  /** What a client with this state vector lacks. Rejects with MESSAGE_MALFORMED. */
  readDifference(document: Document, stateVector: Uint8Array, position: number | undefined): Promise<Reading> {
    return readDifference(document, stateVector, position, this.#readingContext)
  }

  /** Ends all subscribers and resolves when everything received is durable and no document is in memory. */
  async close(): Promise<void> {
    this.#isClosing = true
    // Commits wait for timers that keep no process alive. One that has nothing else to do would end, and lose them.
    const alive = setInterval(() => undefined, ALIVE_MS)
    try {
      await this.#drain()
    } finally {
      clearInterval(alive)
    }
  }

  async #drain(): Promise<void> {
    await Promise.allSettled(this.#opening.values())
    const emptied = new Promise<void>((resolve) => {
      this.#onEmpty = resolve
    })
    for (const document of [...this.#open.values()]) {
      document.end('restart')
      document.flush()
      this.#changed(document)
    }
    this.#compactor.giveUp()
    if (this.#open.size > 0) await emptied
    await this.#committer.settle()
  }

  #load(name: string): Promise<Document> {
    const opening = this.#opening.get(name) ?? this.#read(name).finally(() => this.#opening.delete(name))
    this.#opening.set(name, opening)
    return opening
  }

  async #read(name: string): Promise<Document> {
    const stored = await this.#context.storage.load(name)
    const log = new DocumentLog(stored, this.#context.config.chunkBytes)
    const document = new Document(name, stored, log, await inTurns(log.decodeState()), this.#documentContext)
    this.#observe(document)
    if (document.incarnations[0] === 0) await this.inProcess.seed(document, this.#context.hooks)
    this.#open.set(name, document)
    this.#snapshots.touch(document.log)
    return document
  }

  #observe(document: Document): void {
    const { config, hooks } = this.#context
    const context = { ...this.#context, documents: this, inProcess: this.inProcess }
    const quiet: Pace = { quietMs: config.changeQuietMs, maxWaitMs: config.changeMaxWaitMs }
    if (hooks.has('commit')) document.observe(new Follower('commit', document, AT_ONCE, context))
    if (hooks.has('change')) document.observe(new Follower('change', document, quiet, context))
  }

  async #loadSnapshot(document: Document): Promise<LoadedSnapshot | null> {
    const { log, name } = document
    while (log.snapshotSeq > 0 && !log.snapshot) {
      const wanted = log.snapshotSeq
      const loaded = await this.#reload(document, wanted)
      if (loaded && loaded.seq >= log.snapshotSeq) return loaded
      // A compaction has put a newer one in its place meanwhile; or else it is gone.
      if (log.snapshotSeq === wanted) {
        throw new CoeditError('STORAGE_DAMAGED', `snapshot ${wanted} of '${name}' could not be read back`)
      }
    }
    this.#snapshots.touch(log)
    return log.snapshot
  }

  /** Reads an evicted snapshot back, once for all who want the same. */
  #reload(document: Document, seq: number): Promise<LoadedSnapshot | null> {
    const reloading = this.#reloading.get(document)
    if (reloading?.seq === seq) return reloading.snapshot
    const snapshot = this.#readSnapshot(document).finally(() => {
      if (this.#reloading.get(document)?.snapshot === snapshot) this.#reloading.delete(document)
    })
    this.#reloading.set(document, { seq, snapshot })
    return snapshot
  }

  async #readSnapshot(document: Document): Promise<LoadedSnapshot | null> {
    const { snapshot } = await this.#context.storage.load(document.name)
    const loaded = snapshot && new LoadedSnapshot(snapshot)
    if (loaded) document.log.restore(loaded)
    this.#snapshots.touch(document.log)
    return loaded
  }

  #changed(document: Document): void {
    if (this.#open.get(document.name) !== document) return
    const mayCompact = !this.#isClosing && !document.hasFailed
    const isCompacting = mayCompact
      ? this.#compactor.consider(document, document.isIdle)
      : this.#compactor.isRunning(document)
    if ((document.isIdle && !isCompacting) || document.hasFailed) this.#remove(document)
  }

  #remove(document: Document): void {
    this.#open.delete(document.name)
    this.#snapshots.forget(document.log)
    this.#compactor.forget(document)
    void this.#context.hooks.offer('close', { name: document.name })
    if (this.#open.size === 0) this.#onEmpty?.()
  }
}
