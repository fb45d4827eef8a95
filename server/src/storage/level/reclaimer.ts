import type { Log } from '../../log.ts'
import type { Database } from './database.ts'
import { documentRange } from './keys.ts'

/** How much is removed before LevelDB is told to free it. */
const RECLAIM_BYTES = 1024 * 1024

/**
 * Frees the disk space of removed records. LevelDB drops them only when it happens to rewrite the tables that they are
 * in: a document that is compacted again and again would leave all its former snapshots on the disk.
 */
export class Reclaimer {
  readonly #database: Database
  readonly #log: Log
  readonly #documentIds = new Set<number>()
  #bytes = 0
  #running: Promise<void> | undefined

  constructor(database: Database, log: Log) {
    this.#database = database
    this.#log = log
  }

  /** Notes that so many bytes of a document were removed. */
  removed(documentId: number, bytes: number): void {
    this.#documentIds.add(documentId)
    this.#bytes += bytes
    if (this.#bytes >= RECLAIM_BYTES) this.#running ??= this.#reclaim()
  }

  /** Resolves when nothing is being freed. */
  async idle(): Promise<void> {
    await this.#running
  }

  async #reclaim(): Promise<void> {
    try {
      while (this.#bytes >= RECLAIM_BYTES) await this.#compactRanges()
    } catch (error) {
      this.#log.warn({ err: error }, 'disk space could not be freed')
    } finally {
      this.#running = undefined
    }
  }

  async #compactRanges(): Promise<void> {
    const ids = [...this.#documentIds]
    this.#documentIds.clear()
    this.#bytes = 0
    for (const id of ids) {
      const { gte, lt } = documentRange(id)
      await this.#database.read((level) => level.compactRange(gte, lt))
    }
  }
}
