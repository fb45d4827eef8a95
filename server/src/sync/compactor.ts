import type { Config } from '../config.ts'
import { CoeditError } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Storage } from '../storage/storage.ts'
import type { WorkerPool } from '../workers/pool.ts'
import type { Document } from './document.ts'
import { LoadedSnapshot } from './snapshot.ts'
import type { SnapshotCache } from './snapshot-cache.ts'

/** A document that leaves memory is compacted at a fraction of the usual log, so that it opens fast and lies small. */
const LEAVING_FRACTION = 1 / 8

export interface CompactorContext {
  readonly config: Config
  readonly log: Log
  readonly storage: Storage
  readonly workers: WorkerPool
  readonly snapshots: SnapshotCache
  loadSnapshot(document: Document): Promise<LoadedSnapshot | null>
}

/** Rewrites a document whose log has grown as one snapshot, in a worker. */
export class Compactor {
  readonly #context: CompactorContext
  readonly #running = new Map<Document, Promise<void>>()
  /** Documents whose compaction failed, with the log size at which it is tried again. */
  readonly #retryAt = new WeakMap<Document, number>()

  constructor(context: CompactorContext) {
    this.#context = context
  }

  isRunning(document: Document): boolean {
    return this.#running.has(document)
  }

  /** @param leaving whether the document is about to leave memory */
  isDue(document: Document, leaving: boolean): boolean {
    const { tailBytes, tailEntries, snapshotBytes } = document.log
    const { compactMinBytes, compactRatio, compactMaxEntries } = this.#context.config
    const fraction = leaving ? LEAVING_FRACTION : 1
    if (this.isRunning(document) || tailBytes < (this.#retryAt.get(document) ?? 0)) return false
    if (tailEntries >= compactMaxEntries * fraction) return true
    return tailBytes >= compactMinBytes * fraction && tailBytes >= compactRatio * fraction * snapshotBytes
  }

  /** Resolves when the compaction is over, whether it succeeded or not. One at a time for a document. */
  run(document: Document): Promise<void> {
    const running = this.#compact(document)
      .catch((error: unknown) => {
        this.#retryAt.set(document, 2 * document.log.tailBytes)
        this.#context.log.error({ err: error, document: document.name }, 'compaction failed; the log stays as it is')
      })
      .finally(() => this.#running.delete(document))
    this.#running.set(document, running)
    return running
  }

  /** Resolves when none is running. */
  async settle(): Promise<void> {
    await Promise.all(this.#running.values())
  }

  async #compact(document: Document): Promise<void> {
    const { storage, workers, snapshots, config } = this.#context
    const { log } = document
    const before = await this.#context.loadSnapshot(document)
    const seq = log.head
    const tail = log.entriesAfter(before?.seq ?? 0)
    const result = await workers.compact({
      chunks: (before?.chunks ?? []).map((piece) => piece.update),
      tail: tail.map((piece) => piece.update),
      maxChunkBytes: config.chunkBytes,
    })
    const snapshot = { seq, ...result }
    if (!(await storage.compact(document.name, snapshot, before?.seq ?? 0))) {
      throw new CoeditError('STORAGE_CONFLICT', `the snapshot of '${document.name}' was replaced by somebody else`)
    }
    document.replaceSnapshot(new LoadedSnapshot(snapshot, config.chunkBytes))
    snapshots.touch(log)
  }
}
