import type { DocumentLog } from './document-log.ts'

/** Bounds the snapshots held in memory, all documents together: the one used longest ago is dropped first. */
export class SnapshotCache {
  readonly #maxBytes: number
  /** In the order of use. */
  readonly #held = new Map<DocumentLog, number>()
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** The snapshot of this log was loaded, replaced or used. */
  touch(log: DocumentLog): void {
    this.forget(log)
    log.keep()
    if (!log.snapshot) return
    this.#held.set(log, log.snapshotBytes)
    this.#bytes += log.snapshotBytes
    for (const oldest of this.#held.keys()) {
      if (this.#bytes <= this.#maxBytes) break
      oldest.evict()
      this.forget(oldest)
    }
  }

  /** The document leaves memory. */
  forget(log: DocumentLog): void {
    this.#bytes -= this.#held.get(log) ?? 0
    this.#held.delete(log)
  }
}
