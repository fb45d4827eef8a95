import type { Catalog } from './catalog.ts'
import type { CursorStore } from './cursor-store.ts'
import type { DocumentStore, WriteKeyStore } from './document-store.ts'
import type { HistoryStore } from './history-store.ts'
import type { Relay } from './relay.ts'
import type { RevocationStore } from './revocation-store.ts'
import type { WebhookStore } from './webhook-store.ts'

/**
 * What the server needs of a storage engine: types only. Each implementation passes the suite in
 * test/conformance/storage.ts.
 *
 * A document is a snapshot at a sequence number and the tail of entries after it. Sequence numbers are per document,
 * contiguous, start at 1 or behind the snapshot that a copy begins with, and are given by the engine on `append`.
 *
 * Several servers may share an engine and write to the same document. None of them waits for another or is turned away
 * because of it: each says up to which number it had applied the log, and is told its own number and what the others
 * wrote in between. So entries may overlap, where a client has brought the same edit to two servers. Whoever applies a
 * log does so strictly by number, its own entries too, and takes of each what is new against those before it.
 */
export interface Storage extends DocumentStore, WriteKeyStore, Catalog {
  /** What documents were. */
  readonly history: HistoryStore

  /** Up to where somebody was told of documents. */
  readonly cursors: CursorStore

  readonly webhooks: WebhookStore

  readonly revocations: RevocationStore

  /** Opens the engine. Rejects with STORAGE_LOCKED, STORAGE_UNWRITABLE, STORAGE_VERSION or STORAGE_DAMAGED. */
  open(): Promise<void>

  /** Whether other servers may append to the same documents. */
  readonly isShared: boolean

  /** By which servers that share the engine reach each other. An engine that one process owns has none. */
  readonly relay?: Relay

  /** Whether writes succeed at present, for /health. */
  readonly status: StorageStatus

  /** What was found damaged since `open`, for /health. */
  readonly damage: StorageDamage

  /**
   * Closes the engine; whoever follows is told nothing more. Appends under way are settled first; those that cannot be
   * written reject with STORAGE_CLOSED, as everything does from then on.
   */
  close(): Promise<void>
}

/** `since` is in milliseconds of the epoch; `error` is the last failure's text. */
export type StorageStatus = { state: 'ok' } | { state: 'degraded'; since: number; error: string }

/** Counts; all 0 where nothing is known to be damaged. */
export interface StorageDamage {
  /** Bytes of what was written last that could not be read when the engine was opened: edits may be lost. */
  readonly droppedBytes: number
  /** Records that do not match their checksum, and updates behind a hole: `load` serves what is before them. */
  readonly records: number
  /** Reads that the engine refused. What it cannot read is not served until it is repaired. */
  readonly failedReads: number
  /** Entries that were committed and are gone since another copy of the database took the place of the one that had them. */
  readonly lostEntries: number
}
