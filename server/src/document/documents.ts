import { loopMeter } from '../common/busy-time.ts'
import { CoeditError, goneError, hasCode, missingError } from '../common/errors.ts'
import type { Log } from '../common/log.ts'
import { type Meters, NO_METERS } from '../common/meters.ts'
import { RejectionDelay } from '../common/rejection-delay.ts'
import { type Clock, Condition } from '../common/timing.ts'
import { inTurns } from '../common/turns.ts'
import { type Config, historyMs } from '../config/config.ts'
import type { HookCalls } from '../hooks/calls.ts'
import { encodeClients } from '../protocol/update/update.ts'
import type { PresenceEntry } from '../protocol/wire/awareness.ts'
import type { StoredDocument, Unfollow } from '../storage/document-store.ts'
import type { Storage } from '../storage/storage.ts'
import type { WorkerPool } from '../workers/pool.ts'
import { Committer } from './committer.ts'
import { Compactor } from './compactor.ts'
import { Cursor, type CursorOptions, type Reader } from './cursor.ts'
import { Document, type DocumentContext } from './document.ts'
import { DocumentLog } from './document-log.ts'
import { Edits } from './edits.ts'
import { Expiry } from './expiry.ts'
import { History } from './history.ts'
import { HookFollowers } from './hook-followers.ts'
import { InProcess, type Place, type Yjs } from './in-process.ts'
import { LoopCost } from './loop-cost.ts'
import { NO_NEIGHBOURS } from './neighbours.ts'
import { Pacing } from './pacing.ts'
import { PresenceExchange } from './presence-exchange.ts'
import { PrivateBytes } from './private-bytes.ts'
import { readApart, readDifference, readSince } from './reading.ts'
import { LoadedSnapshot } from './snapshot.ts'
import { Snapshots } from './snapshots.ts'
import type { Author, WriteKey } from './subscriber.ts'
import { NOBODY_TOLD, type Told } from './told.ts'

/** How often it is tried to delete a document that somebody writes to, so that all who wrote it are known. */
const MAX_DELETION_ATTEMPTS = 20

/** What a document is made of. */
interface Content {
  readonly update: Uint8Array
  readonly author: Author
  readonly key: WriteKey | undefined
}

export interface DocumentsContext {
  readonly config: Config
  readonly clock: Clock
  readonly log: Log
  readonly storage: Storage
  readonly workers: WorkerPool
  readonly hooks: HookCalls
  readonly yjs: Yjs
  /** Default: nobody but the hooks. */
  readonly told?: Told
  /** Another server wants everybody, or this user alone, disconnected from a document. Default: nobody is connected. */
  readonly onDisconnect?: (document: string, user: string | undefined) => void
  /** Default: nothing is counted. */
  readonly meters?: Meters
}

/** Where a document stands after a commit. */
export interface Committed extends Place {
  /** Whether other servers alone wrote what came with it. */
  readonly isForeign: boolean
}

/** Who is told what becomes durable of any document. None of these may throw. */
export interface CommitListener {
  onCommit(name: string, at: Committed): void
  /** It was deleted by this server. Default: that is no news. */
  onDeleted?(name: string): void
  /** Other servers may have written what was not told. */
  onMissed(): void
}

/** The open documents. Each is loaded once however many ask for it, and leaves memory when nobody needs it. */
export class Documents {
  /** For the code around the server. */
  readonly inProcess: InProcess
  /** What they were. */
  readonly history: History
  /** By name: how long a connection to a document that could not be opened is kept waiting before it hears so. */
  readonly refusals: RejectionDelay
  readonly #context: DocumentsContext
  readonly #committer: Committer
  readonly #compactor: Compactor
  readonly #snapshots: Snapshots
  readonly #exchange: PresenceExchange | undefined
  readonly #open = new Map<string, Document>()
  readonly #opening = new Map<string, Promise<Document>>()
  readonly #documentContext: DocumentContext
  readonly #followers: HookFollowers
  readonly #expiry: Expiry
  readonly #reader: Reader
  readonly #emptied = new Condition()
  readonly #listeners = new Set<CommitListener>()
  #unfollow: Unfollow | undefined
  #isClosing = false

  constructor(context: DocumentsContext) {
    const { config, clock, log, storage, workers, yjs, meters = NO_METERS, told = NOBODY_TOLD } = context
    this.#context = context
    this.inProcess = new InProcess(this, config, yjs)
    this.history = new History({ clock, storage: storage.history, workers })
    this.refusals = new RejectionDelay(clock)
    this.#committer = new Committer(storage, new Pacing(config, clock, loopMeter), clock, log, meters)
    const snapshots = new Snapshots(config.snapshotCacheBytes, async (name) => {
      const { snapshot, isDeleted } = await storage.load(name)
      if (isDeleted) throw goneError(name)
      return snapshot
    })
    this.#snapshots = snapshots
    this.#compactor = new Compactor({ config, clock, log, meters, storage, workers, snapshots }, (document) =>
      this.#changed(document),
    )
    const { relay } = storage
    const { onDisconnect = () => undefined } = context
    this.#exchange = relay && new PresenceExchange({ relay, clock, log, onDisconnect })
    this.#followers = new HookFollowers({
      ...context,
      storage: storage.cursors,
      documents: this,
      inProcess: this.inProcess,
    })
    this.#expiry = new Expiry({ clock, log, storage: storage.history, keptMs: historyMs(config) })
    this.#documentContext = {
      config,
      clock,
      log,
      meters,
      loopCost: new LoopCost(clock),
      cursorsOf: ({ name, head }) => [
        ...this.#followers.cursors,
        ...told.cursorsOf(name, head === 0 ? 'document.created' : 'document.changed'),
      ],
      committed: ({ name, incarnation, head: position }, isForeign) =>
        this.#committed(name, { incarnation, position, isForeign }),
      requestCommit: (source) => this.#committer.request(source),
      changed: (document) => this.#changed(document),
      neighboursOf: (name) => this.#exchange?.neighboursOf(name) ?? NO_NEIGHBOURS,
    }
    const reading = {
      snapshots,
      privateBytes: new PrivateBytes(config.maxPrivateBytes),
      diff: (chunks: readonly Uint8Array[], stateVector: Uint8Array) =>
        workers.diff({ chunks, stateVector, maxBytes: config.chunkBytes }),
      chunkBytes: config.chunkBytes,
    }
    this.#reader = {
      readSince: (document, position) => readSince(document, position, reading),
      readApart: (document) => readApart(document, reading),
      readDifference: (document, stateVector, position) => readDifference(document, stateVector, position, reading),
    }
  }

  /** How many documents are in memory. */
  get size(): number {
    return this.#open.size
  }

  /** Those in memory. */
  get open(): Iterable<Document> {
    return this.#open.values()
  }

  /** Of edits that are not durable yet. */
  get pendingBytes(): number {
    let bytes = 0
    for (const document of this.#open.values()) bytes += document.pendingBytes
    return bytes
  }

  /**
   * Resolves with a cursor on the document once that is loaded. Rejects with SERVER_CLOSED once the server closes, and as
   * loading does.
   */
  async join(name: string, options: CursorOptions = {}): Promise<Cursor> {
    if (this.#isClosing) throw new CoeditError('SERVER_CLOSED', 'the server is closing')
    const open = this.#open.get(name)
    // No turn may lie between the two: a document that nobody follows leaves memory.
    if (open) return this.follow(open, options)
    return this.#load(name).then((document) => this.follow(document, options))
  }

  /** The same, also for a document that is in memory while the server closes: its hooks are told of the last edits. */
  visit(name: string): Promise<Cursor> {
    const open = this.#open.get(name)
    return open ? Promise.resolve(this.follow(open)) : this.join(name)
  }

  /** Tells what becomes durable of any document, here and, as far as the storage tells it, at other servers. */
  watch(listener: CommitListener): Unfollow {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Where the log of a document ends. Rejects as `join` does. */
  async place(name: string): Promise<Place> {
    const cursor = await this.visit(name)
    cursor.release()
    return placeOf(cursor.document)
  }

  /**
   * Makes a document, also one that was deleted, of a whole Yjs update (v1). Resolves when that is durable. Rejects with
   * DOCUMENT_EXISTS, SERVER_CLOSED, and as loading does.
   */
  async create(name: string, update: Uint8Array, author: Author, key?: WriteKey): Promise<Place> {
    if (this.#isClosing) throw new CoeditError('SERVER_CLOSED', 'the server is closing')
    for (let opening = this.#opening.get(name); opening; opening = this.#opening.get(name)) {
      await opening.catch(() => undefined)
    }
    const open = this.#open.get(name)
    if (!open) return placeOf(await this.#load(name, { update, author, key }))
    if (open.head > 0) throw existsError(name)
    try {
      await this.inProcess.plant(open, update, author, 'anew', key)
    } catch (error) {
      if (open.hasFailed && (await this.#context.storage.load(name)).head > 0) throw existsError(name)
      throw error
    }
    return placeOf(open)
  }

  /**
   * Deletes a document: nothing of it is kept, and nothing brings it back but `create`. Whoever takes part in it is
   * told, at other servers too. Resolves when it is durable. Rejects with DOCUMENT_MISSING, and with GONE where it was
   * deleted before.
   */
  async delete(name: string, key?: WriteKey): Promise<void> {
    const { storage, told = NOBODY_TOLD } = this.#context
    let stored = await this.#loadForDeletion(name)
    for (let attempt = 1; ; attempt++) {
      const formerClients = stored ? await inTurns(encodeClients(stored)) : new Uint8Array()
      // Who writes at another server all the time does not keep it from being deleted.
      const head = attempt < MAX_DELETION_ATTEMPTS ? stored?.head : undefined
      const cursors = told.cursorsOf(name, 'document.deleted')
      if (await storage.delete(name, { incarnation: stored?.incarnation, head, formerClients, key, cursors })) break
      stored = await this.#loadForDeletion(name, stored && { ...stored, formerClients })
    }
    await this.#opening.get(name)?.catch(() => undefined)
    const open = this.#open.get(name)
    const isAnother = open && open.incarnation !== 0 && stored && !open.stands(stored.incarnation, 1)
    if (open && !isAnother) open.commitFailed(goneError(name))
    for (const { onDeleted } of this.#listeners) onDeleted?.(name)
  }

  /**
   * Undefined for a document that is damaged: it may be deleted all the same.
   * @param before what was there a moment ago: who wrote that is among its former clients
   */
  async #loadForDeletion(name: string, before?: StoredDocument): Promise<StoredDocument | undefined> {
    try {
      const news = before && (await this.#context.storage.readAfter(name, before.head))
      if (before && news?.incarnation === before.incarnation) {
        return { ...before, snapshot: null, tail: news.entries, head: before.head + news.entries.length }
      }
      const stored = await this.#context.storage.load(name)
      if (stored.isDeleted) throw goneError(name)
      if (stored.head === 0) throw missingError(name)
      return stored
    } catch (error) {
      if (!hasCode(error, 'STORAGE_DAMAGED')) throw error
      this.#context.log.warn({ err: error, document: name }, 'a damaged document is deleted')
      return undefined
    }
  }

  /** Has other servers disconnect everybody from a document, or this user alone. */
  disconnectElsewhere(name: string, user: string | undefined): void {
    this.#exchange?.disconnect(name, user)
  }

  /** Who takes part in a document; nobody where it is not in memory. */
  present(name: string): readonly PresenceEntry[] {
    return this.#open.get(name)?.presence.everyone() ?? []
  }

  /** A cursor on a document that is in memory. */
  follow(document: Document, options: CursorOptions = {}): Cursor {
    const cursor = new Cursor(document, this.#reader, options)
    document.subscribe(cursor)
    return cursor
  }

  /** To be called when the storage is open: hooks are told what they were not told in time. */
  start(): void {
    this.#followers.start()
    this.#expiry.start()
    this.#unfollow = this.#context.storage.followAll?.({
      onAppended: (name, incarnation, position) => this.#committed(name, { incarnation, position, isForeign: true }),
      onMissed: () => {
        for (const { onMissed } of this.#listeners) onMissed()
      },
    })
  }

  /** Ends all subscribers and resolves when everything received is durable and no document is in memory. */
  async close(): Promise<void> {
    this.#isClosing = true
    this.#unfollow?.()
    await this.#followers.stop()
    await this.#expiry.stop()
    await Promise.allSettled(this.#opening.values())
    for (const document of [...this.#open.values()]) {
      document.end('restart')
      this.#changed(document)
    }
    this.#compactor.giveUp()
    await this.#committer.settle()
    while (this.#open.size > 0) await this.#emptied.wait()
    await this.#committer.settle()
    await this.#exchange?.close()
  }

  #committed(name: string, at: Committed): void {
    for (const { onCommit } of this.#listeners) onCommit(name, at)
  }

  /** @param content what it is made of, where it is not to be there yet */
  #load(name: string, content?: Content): Promise<Document> {
    const opening = this.#opening.get(name) ?? this.#read(name, content).finally(() => this.#opening.delete(name))
    this.#opening.set(name, opening)
    return opening
  }

  async #read(name: string, content?: Content): Promise<Document> {
    const stored = await this.#context.storage.load(name)
    if (content && stored.head > 0) throw existsError(name)
    if (!content && stored.isDeleted) throw goneError(name)
    const snapshot = stored.snapshot && new LoadedSnapshot(stored.snapshot)
    const log = new DocumentLog(stored, snapshot, this.#context.config.chunkBytes)
    const known = await inTurns(log.decodeState(snapshot))
    const { isShared } = this.#context.storage
    const edits = new Edits(known, isShared ? await inTurns(log.decodeState(snapshot)) : undefined)
    const document = new Document(name, stored, log, edits, this.#documentContext)
    // Until it is made anew, others would be told that it is deleted.
    if (isShared && !content) document.share(this.#context.storage)
    this.#followers.observe(document)
    try {
      if (content) await this.inProcess.plant(document, content.update, content.author, 'anew', content.key)
      else if (document.incarnation === 0) await this.inProcess.seed(document, this.#context.hooks)
    } catch (error) {
      document.close()
      // Another server has filled it at the same time.
      if (!document.hasFailed || (await this.#context.storage.load(name)).head === 0) throw error
      if (content) throw existsError(name)
      return this.#read(name)
    }
    if (isShared && content) document.share(this.#context.storage)
    this.#open.set(name, document)
    if (snapshot) this.#snapshots.put(document, snapshot)
    return document
  }

  /** Commits anew what the database has lost: somebody may have written it who is not here any more. */
  async #bringBack({ name, log }: Document): Promise<void> {
    try {
      const cursor = await this.join(name)
      for (const { update } of log.entriesAfter(log.snapshotSeq)) cursor.document.submit(update, null)
      cursor.release()
    } catch (error) {
      this.#context.log.warn({ err: error, document: name }, 'what the database has lost could not be brought back')
    }
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
    document.close()
    this.#snapshots.forget(document)
    this.#compactor.forget(document)
    void this.#context.hooks.offer('close', { name: document.name })
    if (this.#open.size === 0) this.#emptied.notify()
    if (document.isLost) void this.#bringBack(document)
  }
}

function placeOf({ incarnation, head }: Document): Place {
  return { incarnation, position: head }
}

function existsError(name: string): CoeditError {
  return new CoeditError('DOCUMENT_EXISTS', `there is a document '${name}' already`)
}
