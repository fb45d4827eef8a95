import { CoeditError, goneError, missingError } from '../common/errors.ts'
import type { Log } from '../common/log.ts'
import type { Cancel, Clock } from '../common/timing.ts'
import type { Config } from '../config/config.ts'
import type { Cursor } from '../document/cursor.ts'
import type { Documents } from '../document/documents.ts'
import type { Receipt } from '../document/edits.ts'
import type { Place } from '../document/in-process.ts'
import { Pacing } from '../document/pacing.ts'
import type { Author, EndReason, Flush, WriteKey } from '../document/subscriber.ts'
import { EMPTY_UPDATE } from '../protocol/update/update.ts'
import type { WorkerPool } from '../workers/pool.ts'
import type { ContentThread } from './content-thread.ts'
import type {
  ContentAnswer,
  ContentRequest,
  ContentResult,
  EditRequest,
  LocateRequest,
  PositionedUpdate,
  ReadRequest,
  WatchedRoot,
  WatchNews,
} from './requests.ts'
import { full, positionOf } from './submitting.ts'

/** How long a document stays in the thread after the last request. */
const IDLE_MS = 30_000

/** What a document may have waiting for the thread; past it, it is read from the log again. */
const MAX_WAITING_BYTES = 1024 * 1024

/** A position that nothing was seen at. */
const NEVER = -1

/** Most requests that go to the thread at once. */
const MAX_BATCH = 256

export interface ContentsContext {
  readonly config: Config
  readonly clock: Clock
  readonly log: Log
  readonly documents: Documents
  readonly workers: WorkerPool
}

/** Who is told how a root changes. None of these may throw. */
export interface Watcher {
  /** @param incarnation that the positions are of */
  onNews(news: Omit<WatchNews, 'id'>, incarnation: number): void
  /** Nothing more is told. */
  onEnd(error: unknown): void
}

/** What somebody is told, until it is ended. */
export interface Watching {
  /**
   * Has all be told anew that was written since the snapshot, before what is read from now on. Tells whether it does: not
   * where that is not as far back as the position, and not twice within half a minute, since the document is built anew.
   */
  tellSince(position: number): boolean
  end(): void
}

export interface ReadContent extends Place {
  /** As it was asked for: JSON, or text. */
  readonly body: string
}

interface Asker {
  readonly author: Author
  /** By which the edit is to be known. */
  readonly key: WriteKey | undefined
  /** The incarnation that the position in the request is of. */
  readonly seen: number | undefined
}

interface Asked extends Partial<Asker> {
  readonly request: ContentRequest
  resolve(outcome: ReadContent): void
  reject(error: unknown): void
}

interface Watched extends WatchedRoot {
  readonly watcher: Watcher
  fromSnapshot: boolean
}

/** One document in the thread: a cursor that brings it what is new, who waits for answers, and who watches it. */
export class OpenContent {
  readonly #name: string
  readonly #context: ContentsContext
  readonly #thread: ContentThread
  readonly #onGone: () => void
  #asked: Asked[] = []
  #isRunning = false
  #cursor: Cursor | undefined
  #news: PositionedUpdate[] = []
  #newsBytes = 0
  /** Whether the thread has nothing of it, or nothing that it may keep. */
  #isLost = true
  #cancelIdle: Cancel = () => undefined
  readonly #watched = new Map<number, Watched>()
  #lastWatch = 0
  /** Whether there are watches that the thread does not know yet. */
  #hasNewWatch = false
  /** Of telling those who watch. */
  readonly #pacing: Pacing
  #tellingMs = 0
  #cancelRest: Cancel | undefined
  /** When it was built anew last for the sake of those who watch. */
  #rebuiltAt = Number.NEGATIVE_INFINITY
  #mustRebuild = false

  constructor(name: string, context: ContentsContext, thread: ContentThread, onGone: () => void) {
    this.#name = name
    this.#context = context
    this.#thread = thread
    this.#onGone = onGone
    const { documentBusyShare: busyShare, maxGatherMs } = context.config
    this.#pacing = new Pacing({ busyShare, maxGatherMs }, context.clock, () => this.#tellingMs)
  }

  read(request: ReadRequest | LocateRequest): Promise<ReadContent> {
    return this.#ask(request)
  }

  edit(request: EditRequest, asker: Asker): Promise<Place> {
    return this.#ask(request, asker)
  }

  watch(root: WatchedRoot, watcher: Watcher, fromSnapshot: boolean): Watching {
    this.#cancelIdle()
    const id = ++this.#lastWatch
    const watched = { ...root, watcher, fromSnapshot }
    this.#watched.set(id, watched)
    this.#hasNewWatch = true
    if (!this.#isRunning) void this.#run()
    return {
      tellSince: (position) => this.#tellSince(position),
      end: () => {
        this.#watched.delete(id)
        if (!this.#isRunning) this.#rest()
      },
    }
  }

  release(): void {
    this.#cancelIdle()
    this.#endWatches(new CoeditError('SERVER_CLOSED', 'the server is closed'))
    this.#lose()
    this.#thread.forget(this.#name)
    this.#onGone()
  }

  #ask(request: ContentRequest, asker?: Asker): Promise<ReadContent> {
    this.#cancelIdle()
    return new Promise((resolve, reject) => {
      this.#asked.push({ request, ...asker, resolve, reject })
      if (!this.#isRunning) void this.#run()
    })
  }

  async #run(): Promise<void> {
    this.#isRunning = true
    while (this.#asked.length > 0 || this.#mustTell()) {
      const batch = this.#nextBatch()
      try {
        await this.#serve(batch)
      } catch (error) {
        this.#lose()
        for (const { reject } of batch) reject(error)
        this.#endWatches(error)
      }
    }
    this.#isRunning = false
    this.#rest()
  }

  /** Whether those who watch have to be told something now; if it has to wait, it is done later. */
  #mustTell(): boolean {
    if (this.#watched.size === 0) return false
    if (this.#hasNewWatch || this.#isLost) return true
    if (this.#news.length === 0 && !this.#cursor?.isBehind) return false
    const restMs = this.#pacing.restMs()
    if (restMs > 0) this.#runAfter(restMs)
    return restMs === 0
  }

  #runAfter(restMs: number): void {
    this.#cancelRest?.()
    this.#cancelRest = this.#context.clock.after(restMs, () => {
      this.#cancelRest = undefined
      if (!this.#isRunning) void this.#run()
    })
  }

  #rest(): void {
    this.#cancelIdle()
    if (this.#watched.size > 0) return
    this.#cancelRest?.()
    this.#cancelRest = undefined
    this.#cancelIdle = this.#context.clock.after(IDLE_MS, () => this.release())
  }

  #tellSince(position: number): boolean {
    const snapshotSeq = this.#cursor?.document.log.snapshotSeq ?? Number.POSITIVE_INFINITY
    const now = this.#context.clock.now()
    if (position < snapshotSeq || now - this.#rebuiltAt < IDLE_MS) return false
    this.#rebuiltAt = now
    this.#mustRebuild = true
    for (const watched of this.#watched.values()) watched.fromSnapshot = true
    return true
  }

  #tell(news: readonly WatchNews[], incarnation: number): void {
    const { clock } = this.#context
    const startedAt = clock.now()
    for (const { id, ...rest } of news) {
      const watched = this.#watched.get(id)
      if (!watched) continue
      // Should the thread lose the document, it is told what follows the snapshot, to go on.
      watched.fromSnapshot = true
      watched.watcher.onNews(rest, incarnation)
    }
    this.#tellingMs += clock.now() - startedAt
  }

  #endWatches(error: unknown): void {
    for (const { watcher } of this.#watched.values()) watcher.onEnd(error)
    this.#watched.clear()
  }

  /** What is read after an edit has to have its number. */
  #nextBatch(): readonly Asked[] {
    const kind = this.#asked[0]?.request.kind
    const end = this.#asked.findIndex(({ request }) => request.kind !== kind)
    return this.#asked.splice(0, Math.min(end < 0 ? MAX_BATCH : end, MAX_BATCH))
  }

  async #serve(batch: readonly Asked[]): Promise<void> {
    const cursor = await this.#caughtUp()
    const { document } = cursor
    const requests = batch.map(({ request, seen }) => {
      // Numbers of another incarnation stand for something else.
      const position = 'seen' in request ? (request.seen ?? 0) : 0
      const isForeign = seen !== undefined && !document.stands(seen, position)
      return isForeign ? { ...request, seen: NEVER } : request
    })
    const updates = this.#takeNews()
    if (document.formerClients.has(this.#thread.clientId)) this.#thread.renewClientId()
    const { clientId } = this.#thread
    // The cursor moves on while the thread works.
    const read = { incarnation: document.incarnation, position: cursor.position ?? 0 }
    const watches = [...this.#watched].map(([id, { root, as, fromSnapshot }]) => ({ id, root, as, fromSnapshot }))
    const job = { document: this.#name, isWhole: this.#isLost, clientId, updates, watches, requests }
    this.#hasNewWatch = false
    this.#isLost = false
    const answer = await this.#thread.run(job)
    if (answer.isLost) this.#lose()
    if (answer.unreadable !== undefined) this.#endWatches(unreadable(this.#name, answer.unreadable))
    this.#tell(answer.news, read.incarnation)
    const settled = await this.#settle(cursor, batch, answer, read)
    this.#asked.unshift(...batch.slice(settled))
  }

  /** Takes what the thread is to know before the next requests. */
  async #caughtUp(): Promise<Cursor> {
    if (this.#cursor?.hasEnded || this.#mustRebuild) this.#lose()
    this.#mustRebuild = false
    const cursor = this.#cursor ?? (await this.#open())
    while (cursor.isBehind) {
      await cursor.read()
      this.#push(cursor.restInClosedOrder())
    }
    return cursor
  }

  async #open(): Promise<Cursor> {
    const cursor = await this.#context.documents.join(this.#name, {
      position: 0,
      onFlush: (flush) => this.#flushed(flush),
      onEnd: (reason) => this.#ended(reason),
    })
    this.#cursor = cursor
    for (const { fromSnapshot } of this.#watched.values()) if (fromSnapshot) this.#rebuiltAt = this.#context.clock.now()
    await cursor.readApart()
    this.#push([...cursor.rest()])
    return cursor
  }

  #ended(reason: EndReason): void {
    this.#lose()
    if (reason === 'deleted') this.#thread.forget(this.#name)
    this.#endWatches(
      reason === 'deleted'
        ? goneError(this.#name)
        : new CoeditError('SERVER_CLOSED', `'${this.#name}' has left memory: ${reason}`),
    )
  }

  #flushed(flush: Flush): void {
    if (this.#newsBytes < MAX_WAITING_BYTES && this.#cursor?.follow(flush)) this.#push(flush.pieces)
    if (!this.#isRunning && !this.#cancelRest && this.#mustTell()) void this.#run()
  }

  #push(pieces: readonly PositionedUpdate[]): void {
    for (const { update, position } of pieces) {
      this.#news.push({ update: compact(update), position })
      this.#newsBytes += update.length
    }
  }

  #takeNews(): readonly PositionedUpdate[] {
    const news = this.#news
    this.#news = []
    this.#newsBytes = 0
    return news
  }

  /**
   * Submits what the requests come to and answers them when that is durable: nobody is shown what may be lost. Resolves with
   * how many it has answered. Those behind an edit that was refused are to be asked again, since they build on it.
   */
  async #settle(cursor: Cursor, batch: readonly Asked[], { results }: ContentAnswer, read: Place): Promise<number> {
    const receipts: (Receipt | undefined)[] = []
    for (const [index, result] of results.entries()) {
      receipts.push(this.#submit(cursor, result, batch[index]))
      if (isRefused(receipts.at(-1))) break
    }
    try {
      await Promise.all(receipts.map((receipt) => receipt?.durable))
    } catch (error) {
      this.#thread.renewClientId()
      throw error
    }
    const written = positionOf(cursor)
    for (const [index, result] of results.slice(0, receipts.length).entries()) {
      const { resolve, reject } = batch[index] ?? {}
      if (!result.ok) reject?.(new CoeditError(result.code, result.message))
      else if (isRefused(receipts[index])) reject?.(full(this.#name))
      else if (result.kind === 'edit') resolve?.({ ...written, body: '' })
      else if (read.position === 0) reject?.(missingError(this.#name))
      else resolve?.({ ...read, body: result.body })
    }
    return receipts.length
  }

  #submit({ document }: Cursor, result: ContentResult, { author, key }: Partial<Asker> = {}): Receipt | undefined {
    if (!result.ok || result.kind !== 'edit' || !author || !(result.update || key)) return undefined
    const receipt = document.submit(result.update ?? EMPTY_UPDATE, author, key)
    // What the document has no room for is in the thread's copy of it.
    if (isRefused(receipt)) this.#lose()
    return receipt
  }

  #lose(): void {
    this.#isLost = true
    this.#takeNews()
    this.#cursor?.release()
    this.#cursor = undefined
  }
}

/** A view of more memory than it needs would take all of that along to the thread. */
function compact(update: Uint8Array): Uint8Array {
  return update.buffer.byteLength > 2 * update.length ? new Uint8Array(update) : update
}

function isRefused(receipt: Receipt | undefined): boolean {
  return receipt !== undefined && (receipt.isRefused || !receipt.complete)
}

function unreadable(name: string, reason: string): CoeditError {
  return new CoeditError('DOCUMENT_UNREADABLE', `Yjs cannot build '${name}': ${reason}`)
}
