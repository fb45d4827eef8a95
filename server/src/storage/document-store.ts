/** The content of documents. */
export interface DocumentStore {
  /**
   * Reads a document and verifies it. An unknown name is an empty document with `head` 0, and nothing is written for it.
   * Where records are damaged, the intact prefix is returned. Rejects with STORAGE_DAMAGED where the engine cannot read
   * them at all, and where others may still write behind them.
   */
  load(document: string): Promise<StoredDocument>

  /**
   * Reads entries from number `after + 1` on, to the head or until they have `maxBytes` together, but at least one where
   * there is one. Resolves null where the log does not have what follows `after`: a compaction has taken it in, or the
   * number is above the head. The document has to be loaded then. Rejects as `load` does.
   */
  readAfter(document: string, after: number, maxBytes?: number): Promise<LogPart | null>

  /**
   * Appends all entries in one group commit and resolves, in the order given, once they are durable. Those of one document
   * get numbers that follow each other. While the engine cannot write, the promise stays pending and the write is
   * retried: nothing that was passed in is given up, nor written twice.
   *
   * Rejects with STORAGE_CLOSED after `close`. Rejects, having written nothing, with STORAGE_CONFLICT where a document
   * has lost the number that an update builds on, has entries although an update was to be the first, or a key, so that
   * its writer has to load it anew, with GONE where a document was deleted, and with STORAGE_DAMAGED where the engine
   * cannot read what it needs to know of a document.
   */
  append(batch: readonly AppendRequest[]): Promise<readonly Appended[]>

  /**
   * Replaces the snapshot and the entries up to `snapshot.seq` in one atomic step; entries appended meanwhile stay.
   * Resolves false and changes nothing when the stored snapshot is no longer the one with number `replaces`, which means
   * that somebody else compacted first, when the document has no entry `snapshot.seq`, or when its numbers are no longer of
   * the `incarnation` given. Rejects with STORAGE_CLOSED.
   */
  compact(document: string, request: CompactionRequest): Promise<boolean>

  /**
   * Makes a document of the snapshot that another storage has of it, under the same number, also where it was deleted.
   * What is appended then follows that. Changes nothing where the document is there. Rejects with STORAGE_CLOSED.
   */
  storeSnapshot(document: string, snapshot: Snapshot): Promise<void>

  /**
   * Reports the entries after number `after` that others commit, in ascending order, as soon as it can but never within this
   * call. Others append through another storage: an engine that one process owns has none, and reports nothing.
   *
   * Reports are for speed and need not be complete: entries that were appended through this storage are left out, as
   * are those that a compaction took in before they could be reported. They may repeat what `append` or `readAfter`
   * gave, or leave it out. A report of an incarnation that does not go on with the one before says that the document
   * has to be loaded anew; it may have no entries. So does one of a deletion. A missing number is the answer of an
   * `append` under way, or is read with `readAfter`. The removal of a document is not reported; when it is made anew,
   * its entries are, from 1 on and under their new incarnation.
   *
   * @param onEntries must not throw
   */
  follow(document: string, after: number, onEntries: (part: LogPart) => void): Unfollow

  /**
   * Reports the numbers that others append, of all documents, as soon as it can, and when some may have been missed. An
   * engine that one process owns has no others, and leaves this out.
   */
  followAll?(listener: AppendListener): Unfollow
}

/** Ends the reports: none comes once it was called. Calling it again is fine. */
export type Unfollow = () => void

/** None of these may throw. */
export interface AppendListener {
  onAppended(document: string, incarnation: number, seq: number): void
  /** What others have appended was not heard for a while. */
  onMissed(): void
}

export interface AppendRequest {
  readonly document: string
  readonly update: Uint8Array
  /**
   * The last number that the writer had applied when it made the update, 0 for none: what the update builds on is in the
   * log up to there. All requests for one document in a batch have the same.
   */
  readonly base: number
  /** The incarnation that `base` is a number of. Without it the engine cannot tell a document that was made anew. */
  readonly incarnation?: number
  /** Whether it must be the first that is ever written of the document. Only with base 0; the same for all of a document. */
  readonly isFirst?: boolean
  /** Whether it may make a document anew that was deleted. Only with base 0; the same for all of a document. */
  readonly anew?: boolean
  /** Cursors that begin before it where there are none of these names. The same for all of a document in a batch. */
  readonly cursors?: readonly string[]
  /** Keys that become known with it. */
  readonly keys?: readonly WriteKey[]
  /** Who wrote it, for `DatedEntry`. */
  readonly authors?: Uint8Array
  /** Quarantined updates that this one contains; they are deleted in the same commit. */
  readonly releases?: readonly number[]
}

/** The lineage has earlier incarnations at least where the one that the base is a number of is not the present one. */
export interface Appended extends Lineage {
  readonly seq: number
  /**
   * What others wrote in between: the entries from `base + 1` on that were in the log before this one, without a gap. They
   * have at most 64 KiB together, for a writer that is slow to read a large answer would hold up the others; `readAfter`
   * reads what is missing up to `seq`. Empty where a compaction has taken in what follows `base`, and in the answers to all
   * but the first of the requests for one document in a batch.
   */
  readonly between: readonly LogEntry[]
}

export interface CompactionRequest {
  readonly snapshot: Snapshot
  /** The number of the snapshot that it takes the place of; 0 for none. */
  readonly replaces: number
  /** The incarnation that the numbers are of. Default: whatever is there. */
  readonly incarnation?: number | undefined
  /** Has the same step put the entries that it takes out of the log into segments. Default: they are gone. */
  readonly history?: HistoryRules | undefined
}

export interface HistoryRules {
  /** How long after its start, in milliseconds, segments may go on without another one. */
  readonly maxRunMs: number
}

export interface StoredDocument extends Quarantine, Lineage, Deletion {
  /** The last sequence number, 0 for a document that was never written. */
  readonly head: number
  readonly snapshot: Snapshot | null
  /** The entries from `snapshot.seq + 1` (or 1) to `head`, without a gap. Those of different writers may overlap. */
  readonly tail: readonly LogEntry[]
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

/** One Yjs update (v1) in the log of a document. */
export interface LogEntry {
  readonly seq: number
  readonly update: Uint8Array
}

/** Some entries of a log in ascending order, without a gap unless `follow` reports them, and whose numbers they are. */
export interface LogPart extends Lineage {
  readonly entries: readonly LogEntry[]
  /** Whether the document was deleted: there are no entries. */
  readonly isDeleted?: boolean
}

/** Whose the numbers of a document are. */
export interface Lineage {
  /**
   * Another one when sequence numbers are given anew (removal, damage), and where the engine cannot exclude that (each time
   * LevelDB is opened, or a standby of PostgreSQL is promoted), so that an old number is told from a valid one. 0 for a
   * document that was never written.
   */
  readonly incarnation: number
  /** Those before it, the latest first, as far as they are known and some of their numbers still stand. */
  readonly earlierIncarnations?: readonly EarlierIncarnation[]
}

export interface EarlierIncarnation {
  readonly incarnation: number
  /** The last of its numbers that stand for the same entries now. */
  readonly last: number
}

/** What is left of a document that was deleted; nothing of one that never was. */
export interface Deletion {
  /** Whether it was not made anew since. */
  readonly isDeleted?: boolean
  /** Who wrote it before, as whoever deleted it has encoded that. */
  readonly formerClients?: Uint8Array
}

/**
 * What an engine adds to a document where it looks after its disk itself, as LevelDB does; others leave it out. Updates
 * that follow a damaged record are not part of the document until what they build on is there again.
 */
export interface Quarantine {
  /** Updates cut off from the log by a damaged record before them. */
  readonly quarantined?: readonly QuarantinedUpdate[]
}

export interface QuarantinedUpdate {
  readonly id: number
  readonly update: Uint8Array
}

/** Which writes were done already, for those who ask for one again since they do not know. */
export interface WriteKeyStore {
  /**
   * What was appended, or deleted, with the key of this id: within a day, if it is one of the last thousand of the
   * document that have one. Rejects with STORAGE_CLOSED.
   */
  recall(document: string, id: Uint8Array): Promise<KnownWrite | undefined>
}

/** By what a write is known when it is asked for again. */
export interface WriteKey {
  /** 32 bytes. */
  readonly id: Uint8Array
  /** What was asked for: 32 bytes. */
  readonly request: Uint8Array
}

export interface KnownWrite extends Pick<WriteKey, 'request'> {
  readonly incarnation: number
  /** Where the document stood after it; 0 of no incarnation after a deletion. */
  readonly seq: number
}
