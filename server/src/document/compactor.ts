import { CoeditError } from '../common/errors.ts'
import type { Log } from '../common/log.ts'
import type { Meters } from '../common/meters.ts'
import type { Cancel, Clock } from '../common/timing.ts'
import { type Config, historyMs, keepsDeleted } from '../config/config.ts'
import type { HistoryRules, Snapshot } from '../storage/document-store.ts'
import type { Storage } from '../storage/storage.ts'
import type { Compaction } from '../workers/compaction.ts'
import type { WorkerPool } from '../workers/pool.ts'
import type { Document } from './document.ts'
import type { Content } from './joining.ts'
import { LoadedSnapshot } from './snapshot.ts'
import type { Snapshots } from './snapshots.ts'

/** A document that leaves memory is compacted at a fraction of the usual log, so that it opens fast and lies small. */
const LEAVING_FRACTION = 1 / 8
/** A log that passes its limits by this multiple of the smallest ones is compacted without waiting for the interval. */
const OVERDUE_FACTOR = 16
/**
 * While so many snapshots of a document are held, no further one is made: slow readers would keep one each in memory. Its
 * log grows meanwhile, up to the size that a document may have.
 */
const MAX_SNAPSHOTS_HELD = 3
/** Milliseconds until the next look whether they have been sent. */
const SENT_CHECK_MS = 1_000

/**
 * Milliseconds in which other servers have read what is in the log, where they share it: they look every 2 s. Entries
 * are not taken out of it before, since a server that finds some gone loads the document anew, and its clients have to
 * come back.
 */
const OTHERS_READ_MS = 5_000
/**
 * Each waits for another time, up to so many milliseconds longer, so that the first has most often stored its snapshot before
 * the next would begin to make one.
 */
const SPREAD_MS = 3_000

/** History goes away in runs of segments, each of which may be so much of the time that it is kept. */
const RUN_FRACTION = 1 / 4

export interface CompactorContext {
  readonly config: Config
  readonly clock: Clock
  readonly log: Log
  readonly meters: Meters
  readonly storage: Storage
  readonly workers: WorkerPool
  readonly snapshots: Snapshots
}

/** What is known of the compactions of one document. */
interface Course {
  /** When the last one ended, or the document was first seen. */
  lastAt: number
  /** After a failure: the log size at which it is tried again. */
  retryBytes: number
  running: Promise<void> | undefined
  /** What looks again when the interval is over. */
  reminder: Cancel | undefined
}

/** Rewrites documents whose logs have grown as snapshots, in a worker. */
export class Compactor {
  readonly #context: CompactorContext
  readonly #courses = new Map<Document, Course>()
  readonly #onDone: (document: Document) => void
  /** Undefined where none is kept. */
  readonly #history: HistoryRules | undefined
  /** Each ends a wait: for a worker, or for other servers. */
  readonly #waiting = new Set<() => void>()
  #hasGivenUp = false

  /** @param onDone called after a compaction, and when one that had to wait has become due */
  constructor(context: CompactorContext, onDone: (document: Document) => void) {
    this.#context = context
    this.#onDone = onDone
    const keptMs = historyMs(context.config)
    this.#history = keptMs > 0 ? { maxRunMs: keptMs * RUN_FRACTION } : undefined
  }

  /**
   * Starts a compaction if the document's log is large enough for one, and tells whether one is under way.
   * @param isLeaving whether the document is about to leave memory
   */
  consider(document: Document, isLeaving: boolean): boolean {
    const course = this.#courseOf(document)
    if (course.running) return true
    if (document.log.tailBytes < course.retryBytes) return false
    const { clock, config, snapshots } = this.#context
    const { compactMinBytes, compactMaxEntries, compactIntervalMs } = config
    const bytes = Math.max(compactMinBytes, config.compactRatio * document.log.snapshotBytes)
    if (isLeaving) {
      const isDue = exceeds(document, compactMaxEntries * LEAVING_FRACTION, bytes * LEAVING_FRACTION)
      return isDue && this.#start(document, course)
    }
    const mayFreeCapacity = document.isFull && document.log.tailEntries > 0
    if (!mayFreeCapacity && !exceeds(document, compactMaxEntries, bytes)) return false
    const isOverdue = exceeds(document, compactMaxEntries * OVERDUE_FACTOR, bytes + compactMinBytes * OVERDUE_FACTOR)
    const rest = isOverdue ? 0 : course.lastAt + compactIntervalMs - clock.now()
    const wait = snapshots.heldCount(document) < MAX_SNAPSHOTS_HELD ? rest : Math.max(rest, SENT_CHECK_MS)
    if (wait <= 0) return this.#start(document, course)
    course.reminder ??= clock.after(wait, () => {
      course.reminder = undefined
      this.#onDone(document)
    })
    return false
  }

  isRunning(document: Document): boolean {
    return this.#courses.get(document)?.running !== undefined
  }

  /** Gives up what workers are compacting, for the server that closes; what is being stored is finished. */
  giveUp(): void {
    this.#hasGivenUp = true
    for (const giveUp of [...this.#waiting]) giveUp()
  }

  /** The document has left memory. */
  forget(document: Document): void {
    this.#courses.get(document)?.reminder?.()
    this.#courses.delete(document)
  }

  #courseOf(document: Document): Course {
    const known = this.#courses.get(document)
    if (known) return known
    const course = { lastAt: this.#context.clock.now(), retryBytes: 0, running: undefined, reminder: undefined }
    this.#courses.set(document, course)
    return course
  }

  #start(document: Document, course: Course): true {
    course.reminder?.()
    course.reminder = undefined
    course.running = this.#compact(document)
      .then(
        () => {
          course.retryBytes = 0
        },
        (error: unknown) => {
          course.retryBytes = 2 * document.log.tailBytes
          this.#context.log.error({ err: error, document: document.name }, 'compaction failed; the log stays as it is')
        },
      )
      .finally(() => {
        course.running = undefined
        course.lastAt = this.#context.clock.now()
        this.#onDone(document)
      })
    return true
  }

  async #compact(document: Document): Promise<void> {
    const { release, ...content } = await this.#context.snapshots.hold(document)
    await this.#replace(document, content).finally(release)
  }

  async #replace(document: Document, content: Content): Promise<void> {
    const { clock, storage, meters } = this.#context
    const { name } = document
    const replaces = content.snapshot?.seq ?? 0
    const seq = content.head
    if (storage.isShared) {
      if (!(await this.#passes(OTHERS_READ_MS + Math.random() * SPREAD_MS))) return
      if (document.hasFailed) return
      const isReplaced = (await storage.readAfter(name, replaces, 1)) === null
      if (isReplaced) return this.#takeOver(document, replaces)
    }
    const start = clock.now()
    const result = await this.#workOut(name, content)
    meters.compacted(clock.now() - start)
    if (!result) return
    const made = { seq, ...result }
    const { incarnation } = document
    const isStored = await storage.compact(name, { snapshot: made, replaces, incarnation, history: this.#history })
    // It may have been deleted meanwhile.
    if (!isStored && document.hasFailed) return
    if (isStored) await this.#goOnWith(document, made)
    else await this.#takeOver(document, replaces)
  }

  async #takeOver(document: Document, before: number): Promise<void> {
    await this.#goOnWith(document, await this.#readNewer(document, before))
  }

  async #goOnWith(document: Document, stored: Snapshot): Promise<void> {
    const snapshot = new LoadedSnapshot(stored)
    this.#context.snapshots.put(document, snapshot)
    await document.replaceSnapshot(snapshot)
    const { seq } = stored
    this.#context.log.debug({ document: document.name, seq, bytes: snapshot.byteLength }, 'compacted a document')
  }

  /** The snapshot that another server has stored in the place of number `before`. */
  async #readNewer(document: Document, before: number): Promise<Snapshot> {
    const { snapshot, incarnation } = await this.#context.storage.load(document.name)
    const isNewer = snapshot !== null && snapshot.seq > before && snapshot.seq <= document.head
    if (isNewer && incarnation === document.incarnation) return snapshot
    throw new CoeditError('STORAGE_CONFLICT', `the snapshot of '${document.name}' was replaced by somebody else`)
  }

  /** Resolves when so many milliseconds have passed, or with false where that is given up. */
  #passes(waitMs: number): Promise<boolean> {
    if (this.#hasGivenUp) return Promise.resolve(false)
    return new Promise((resolve) => {
      const settle = (hasPassed: boolean) => {
        cancel()
        this.#waiting.delete(giveUp)
        resolve(hasPassed)
      }
      const giveUp = () => settle(false)
      const cancel = this.#context.clock.after(waitMs, () => settle(true))
      this.#waiting.add(giveUp)
    })
  }

  /** Resolves with what a worker makes of a snapshot and the entries after it; null where it is given up. */
  #workOut(name: string, { snapshot, entries }: Content): Promise<Compaction | null> {
    const { workers, config } = this.#context
    const work = workers.compact({
      chunks: (snapshot?.chunks ?? []).map((piece) => piece.update),
      tail: entries.map((piece) => piece.update),
      maxChunkBytes: config.chunkBytes,
      keepsDeleted: keepsDeleted(name, config),
    })
    return new Promise((resolve, reject) => {
      const giveUp = () => resolve(null)
      this.#waiting.add(giveUp)
      work.then(resolve, reject).finally(() => this.#waiting.delete(giveUp))
    })
  }
}

function exceeds({ log }: Document, entries: number, bytes: number): boolean {
  return log.tailEntries > 0 && (log.tailEntries >= entries || log.tailBytes >= bytes)
}
