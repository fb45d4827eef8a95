/**
 * What the server needs of a storage engine: types only. Each implementation passes the suite in
 * test/conformance/storage.ts.
 *
 * A document is a snapshot at a sequence number and the tail of entries after it. Sequence numbers are per document,
 * contiguous, start at 1 and are given by the engine on `append`: an engine that several servers share may have given
 * the numbers in between to others.
 */
export interface Storage {
  /** Opens the engine. Rejects with STORAGE_LOCKED, STORAGE_UNWRITABLE, STORAGE_VERSION or STORAGE_DAMAGED. */
  open(): Promise<void>

  /**
   * Reads a document and verifies it. An unknown name is an empty document with `head` 0, and nothing is written for it.
   * Where records are damaged, the intact prefix is returned and what follows it is kept as `quarantined`. Rejects with
   * STORAGE_DAMAGED where the engine cannot read them at all.
   */
  load(document: string): Promise<StoredDocument>

  /**
   * Appends all entries in one group commit and resolves, in the order given, once they are durable. Several entries of
   * one document get ascending numbers. While the engine cannot write, the promise stays pending and the write is
   * retried: nothing that was passed in is given up. Rejects with STORAGE_CLOSED after `close`, and with
   * STORAGE_DAMAGED, having written nothing, where the engine cannot read what it needs to know of a document.
   */
  append(batch: readonly AppendRequest[]): Promise<readonly Appended[]>

  /**
   * Replaces the snapshot and the entries up to `snapshot.seq` in one atomic step; entries appended meanwhile stay.
   * Resolves false and changes nothing when the stored snapshot is no longer the one with number `replaces`
   * (0: none), which means that somebody else compacted first, or when the document has no entry `snapshot.seq`.
   * Rejects with STORAGE_CLOSED.
   */
  compact(document: string, snapshot: Snapshot, replaces: number): Promise<boolean>

  /** Facts about one document, or undefined where nothing is stored under that name. */
  stat(document: string): Promise<DocumentFacts | undefined>

  /** Names with the prefix, in byte order, after `cursor` (exclusive); at most `limit`. */
  list(prefix: string, cursor: string | undefined, limit: number): Promise<readonly string[]>

  /** Removes a document and all that is stored of it. */
  remove(document: string): Promise<void>

  /**
   * All revocations that are stored, the oldest first. A damaged one is replaced by one of everything until now: nobody
   * can tell any more what it took back. Rejects with STORAGE_DAMAGED where the engine cannot read them all.
   */
  loadRevocations(): Promise<readonly StoredRevocation[]>

  /**
   * Stores revocations, in the place of those of the same target, and forgets the targets named, in one atomic step.
   * Resolves once that is durable; while the engine cannot write it waits, as `append` does. Rejects with STORAGE_CLOSED.
   */
  storeRevocations(revocations: readonly StoredRevocation[], forgotten: readonly string[]): Promise<void>

  /** Whether writes succeed at present, for /health. */
  readonly status: StorageStatus

  /** What was found damaged since `open`, for /health. */
  readonly damage: StorageDamage

  /** Closes the engine. Appends under way are settled first; those that cannot be written reject with STORAGE_CLOSED. */
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
}

/** One Yjs update (v1) in the log of a document. */
export interface LogEntry {
  readonly seq: number
  readonly update: Uint8Array
}

/** A compacted document. Every prefix of `chunks` is a complete document: no struct needs a later chunk. */
export interface Snapshot {
  readonly seq: number
  readonly chunks: readonly Uint8Array[]
  /** Yjs encoding. Null after damage: the reader computes it from the chunks that are left. */
  readonly stateVector: Uint8Array | null
  /** The delete set of the chunks in Yjs' encoding (v1); null as for `stateVector`. */
  readonly deleteSet: Uint8Array | null
}

export interface StoredDocument {
  /** The last sequence number, 0 for a document that was never written. */
  readonly head: number
  /**
   * Another one each time the engine is opened, and when sequence numbers are given anew (removal, damage), so that an old
   * cursor is told from a valid one. 0 for a document that was never written.
   */
  readonly incarnation: number
  /** Those before, as far as they are known, whose numbers stand for the same entries now. */
  readonly earlierIncarnations: readonly number[]
  readonly snapshot: Snapshot | null
  /** The entries from `snapshot.seq + 1` (or 1) to `head`, without a gap. */
  readonly tail: readonly LogEntry[]
  /** Updates cut off from the log by a damaged record before them. */
  readonly quarantined: readonly QuarantinedUpdate[]
}

export interface QuarantinedUpdate {
  readonly id: number
  readonly update: Uint8Array
}

export interface AppendRequest {
  readonly document: string
  readonly update: Uint8Array
  /** Quarantined updates that this one contains; they are deleted in the same commit. */
  readonly releases?: readonly number[]
}

export interface Appended {
  readonly seq: number
  readonly incarnation: number
}

/** Access that was taken back. */
export interface StoredRevocation {
  /** What it is about, as whoever stored it says; never empty. Null for everything. */
  readonly target: string | null
  /** When, in milliseconds of the epoch, with fractions. */
  readonly time: number
}

export interface DocumentFacts {
  /** Milliseconds of the epoch. */
  readonly createdAt: number
  /** Milliseconds of the epoch; the time of the last entry. */
  readonly updatedAt: number
  readonly head: number
  readonly snapshotBytes: number
  readonly tailEntries: number
  readonly tailBytes: number
}
