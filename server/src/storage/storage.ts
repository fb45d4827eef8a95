/**
 * What the server needs of a storage engine: types only. Each implementation passes the suite in
 * test/conformance/storage.ts.
 *
 * A document is a snapshot at a sequence number and the tail of entries after it. Sequence numbers are per document,
 * contiguous, start at 1 and are given by the engine on `append`.
 *
 * Several servers may share an engine and write to the same document. None of them waits for another or is turned away
 * because of it: each says up to which number it had applied the log, and is told its own number and what the others
 * wrote in between. So entries may overlap, where a client has brought the same edit to two servers. Whoever applies a
 * log does so strictly by number, its own entries too, and takes of each what is new against those before it.
 */
export interface Storage
  extends DocumentStore,
    HistoryStore,
    WriteKeyStore,
    CursorStore,
    Catalog,
    RevocationStore,
    WebhookStore {
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
   * has lost the number that an update builds on, has entries although an update was to be the first, or a key, so that its
   * writer has to load it anew, with GONE where a document was deleted, and with STORAGE_DAMAGED where the engine cannot read what it needs to know of a document.
   */
  append(batch: readonly AppendRequest[]): Promise<readonly Appended[]>

  /**
   * Replaces the snapshot and the entries up to `snapshot.seq` in one atomic step; entries appended meanwhile stay.
   * Resolves false and changes nothing when the stored snapshot is no longer the one with number `replaces`
   * (0: none), which means that somebody else compacted first, when the document has no entry `snapshot.seq`, or when its
   * numbers are no longer of the `incarnation` given. Rejects with STORAGE_CLOSED.
   *
   * @param history has the same step put the entries that it takes out of the log into segments. Default: they are gone
   */
  compact(
    document: string,
    snapshot: Snapshot,
    replaces: number,
    incarnation?: number,
    history?: HistoryRules,
  ): Promise<boolean>

  /**
   * Reports the entries after number `after` that others commit, in ascending order, as soon as it can but never within this
   * call. Others append through another storage: an engine that one process owns has none, and reports nothing.
   *
   * Reports are for speed and need not be complete: entries that were appended through this storage are left out, as are
   * those that a compaction took in before they could be reported. They may repeat what `append` or `readAfter` gave, or
   * leave it out. A report of an incarnation that does not go on with the one before says that the document has to be
   * loaded anew; it may have no entries. So does one of a deletion. A missing number is the answer of an `append` under way, or is read with
   * `readAfter`. The removal of a document is not reported; when it is made anew, its entries are, from 1 on and under
   * their new incarnation.
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

/** None of these may throw. */
export interface AppendListener {
  onAppended(document: string, incarnation: number, seq: number): void
  /** What others have appended was not heard for a while. */
  onMissed(): void
}

/**
 * What compactions took out of logs, by document: segments of entries without a gap between them, each a `start` or behind
 * another one. What the document was before a start is kept with it, so that no older segment is needed to tell what it
 * was at an entry.
 */
export interface HistoryStore {
  /** The document as `load` gives it, and its tail with what is known of each entry. Rejects as `load` does. */
  loadDated(document: string): Promise<DatedDocument>

  /** At most `limit` segments of a document, the latest first, before `place` (exclusive; default: all). Rejects with STORAGE_CLOSED. */
  listSegments(document: string, place: number | undefined, limit: number): Promise<readonly Segment[]>

  /** The entries of a segment; undefined where it is gone, or damaged. Rejects with STORAGE_CLOSED. */
  readSegment(document: string, place: number): Promise<readonly DatedEntry[] | undefined>

  /**
   * What the document was before the start at this place, as the chunks of a snapshot: none where it was empty; undefined where that is
   * gone, or damaged. Rejects with STORAGE_CLOSED.
   */
  readStart(document: string, place: number): Promise<readonly Uint8Array[] | undefined>

  /**
   * Removes the segments of all documents in which no entry was written at `time` (in milliseconds of the epoch) or later, except those that stand
   * between an entry that was, and the start before it. Rejects with STORAGE_CLOSED.
   */
  expireHistory(time: number): Promise<void>

  /**
   * Keeps a version under a name, until that or the document is removed. Changes nothing and resolves 'taken' where another one has the name, 'full'
   * where the document has MAX_NAMED_VERSIONS of them, and 'missing' where it is not of the incarnation any more. Rejects with STORAGE_CLOSED.
   */
  nameVersion(document: string, version: NewNamedVersion): Promise<'named' | 'taken' | 'full' | 'missing'>

  /** By name, in byte order. Rejects with STORAGE_CLOSED. */
  listNamedVersions(document: string): Promise<readonly NamedVersion[]>

  /** What the document was; undefined where there is none of this name, or it is damaged. Rejects with STORAGE_CLOSED. */
  readNamedVersion(document: string, name: string): Promise<Uint8Array | undefined>

  /** Resolves whether there was one of this name. Rejects with STORAGE_CLOSED. */
  removeNamedVersion(document: string, name: string): Promise<boolean>
}

export interface NamedVersion {
  readonly name: string
  /** The number of its last entry. */
  readonly seq: number
  /** When it was named, in milliseconds of the epoch. */
  readonly namedAt: number
  /** Who has named it, as whoever did so has encoded that. */
  readonly authors: Uint8Array
}

export interface NewNamedVersion extends NamedVersion {
  /** That the number is of. */
  readonly incarnation: number
  /** What the document was, in Yjs' encoding (v1). */
  readonly update: Uint8Array
}

export interface HistoryRules {
  /** How long after its start, in milliseconds, segments may go on without another one. */
  readonly maxRunMs: number
}

/** An entry, and what is known of how it was written. */
export interface DatedEntry extends LogEntry {
  /** Milliseconds of the epoch; when the document was made where it was written before that was noted. */
  readonly time: number
  /**
   * Who wrote it, as whoever appended it has encoded that: a list (how many, then each with its length before it) of what
   * comes in other entries again, and of several, what is whose. Empty where nothing was said.
   */
  readonly authors: Uint8Array
}

export interface DatedDocument extends StoredDocument {
  readonly tail: readonly DatedEntry[]
}

export interface Segment {
  /** By which it is known; later ones have larger ones. */
  readonly place: number
  /** The numbers of its first and last entry. */
  readonly first: number
  readonly last: number
  /** When the earliest and the latest of its entries were written, in milliseconds of the epoch. */
  readonly since: number
  readonly until: number
  /** Whether what was before it is kept with it. */
  readonly isStart: boolean
}

/** Which writes were done already, for those who ask for one again since they do not know. */
export interface WriteKeyStore {
  /**
   * What was appended, or deleted, with the key of this id: within a day, if it is one of the last thousand of the document that have one.
   * Rejects with STORAGE_CLOSED.
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

/**
 * Cursors on documents that outlive servers: up to which number somebody was told, who is told by one server at a time. A
 * cursor is there while something is to be told: an append that names it makes it (`AppendRequest.cursors`), and it is
 * gone when it has arrived at the head. A deletion takes those of its document away, and makes the ones that it names
 * (`DeletionRequest.cursors`): they tell of the deletion before all that is written when the document is made anew.
 * Several with different names are on their own.
 */
export interface CursorStore {
  /**
   * Takes a cursor for this server, unless another one holds it that is alive: one that is not has shown no sign of life for
   * some seconds. Whoever appends or deletes with the name of a new cursor holds it. Resolves with how far was told;
   * undefined where another server holds it, or there is none. Rejects with STORAGE_CLOSED.
   */
  claim(cursor: string, document: string): Promise<CursorPlace | undefined>

  /**
   * Moves a cursor up to a number, which is one of the `incarnation` given, and removes it where that is the head. Resolves
   * 'told' where it was the head, 'behind' where it was not, and 'lost' where the cursor is no longer this server's, or the
   * number not one of the document: nothing has changed then. Rejects with STORAGE_CLOSED.
   */
  advance(cursor: string, document: string, seq: number, incarnation: number): Promise<'told' | 'behind' | 'lost'>

  /**
   * Ends what a cursor has to tell of a deletion, as of the time with which it was claimed. Resolves 'told' where nothing is
   * left to be told, 'behind' where the document was made anew since, and 'lost' as `advance` does. Rejects with STORAGE_CLOSED.
   */
  toldDeletion(cursor: string, document: string, deletedAt: number): Promise<'told' | 'behind' | 'lost'>

  /**
   * Notes at a cursor that it could not be told, until it has moved or `retry` is called. Resolves false, and changes nothing,
   * where it is no longer this server's, or is not at what was claimed any more. Rejects with STORAGE_CLOSED.
   *
   * @param deletedAt as it was claimed
   */
  postpone(cursor: string, document: string, failure: CursorFailure, deletedAt?: number): Promise<boolean>

  /**
   * Documents with a cursor of this name that no other living server holds, and that need not wait for `retryAt`: first those
   * that nobody holds; at most `limit`.
   */
  untold(cursor: string, limit: number): Promise<readonly string[]>

  /** Cursors of this name with a failure, by document in byte order, after `after` (exclusive); at most `limit`. */
  listPostponed(cursor: string, after: string | undefined, limit: number): Promise<readonly PostponedCursor[]>

  /** Forgets the failure of a cursor; without a document, those of all of this name. Rejects with STORAGE_CLOSED. */
  retry(cursor: string, document?: string): Promise<void>
}

/** How far somebody was told of a document. */
export interface CursorPlace {
  /** The number up to which was told. */
  readonly seq: number
  /** When the document was deleted, where that is to be told before all else: milliseconds of the epoch, with fractions. */
  readonly deletedAt?: number
  readonly failure?: CursorFailure
}

/** Why somebody could not be told the last time. */
export interface CursorFailure {
  /** How often in a row it could not. */
  readonly count: number
  /** When that began, in milliseconds of the epoch. */
  readonly since: number
  /** When to try again, in milliseconds of the epoch; null: not before somebody asks for it. */
  readonly retryAt: number | null
  /** For people; at most 200 characters are kept. */
  readonly reason: string
}

export interface PostponedCursor extends CursorFailure {
  readonly document: string
}

/** Who is told of documents by HTTP. What they are still to be told is a cursor of the name that `webhookCursor` gives. */
export interface WebhookStore {
  /** All of them, in no order. Rejects with STORAGE_CLOSED. */
  loadWebhooks(): Promise<readonly StoredWebhook[]>

  /** Stores one in the place of that of the same id. Resolves once that is durable. Rejects with STORAGE_CLOSED. */
  storeWebhook(webhook: StoredWebhook): Promise<void>

  /**
   * Removes one with all of its cursors, and those that servers which did not know it yet have left of others. Resolves
   * whether it was there. Rejects with STORAGE_CLOSED.
   */
  removeWebhook(id: string): Promise<boolean>

  /** Calls `onChange` within 2 s when others have changed webhooks, as `followRevocations` does. */
  followWebhooks?(onChange: () => void): Unfollow
}

export interface StoredWebhook {
  readonly id: string
  /** As whoever stores it has encoded it. */
  readonly text: string
}

/** Ends the reports: none comes once it was called. Calling it again is fine. */
export type Unfollow = () => void

/** Which documents there are. */
export interface Catalog {
  /** Names with the prefix, in byte order, after `cursor` (exclusive); at most `limit`. */
  list(prefix: string, cursor: string | undefined, limit: number): Promise<readonly string[]>

  /** Facts about one document, or undefined where nothing is stored under that name. */
  stat(document: string): Promise<DocumentFacts | undefined>

  /**
   * Deletes a document: removes all that is stored of it, and keeps under its name that it was deleted, in one atomic step
   * that is durable when it resolves. From then on appends are refused, unless they are to make it `anew`. Where there is
   * none, that is kept all the same. Resolves false, and changes nothing, where it is another incarnation than the one given,
   * or has gone on.
   */
  delete(document: string, deletion: DeletionRequest): Promise<boolean>

  /** Documents that are deleted, by name in byte order, after `cursor` (exclusive); at most `limit`. */
  listDeleted(cursor: string | undefined, limit: number): Promise<readonly DeletedDocument[]>

  /** Removes a document and all that is stored of it, also that it was deleted. */
  remove(document: string): Promise<void>
}

export interface DeletionRequest {
  /** Which one is to be deleted. Default: whatever is there. */
  readonly incarnation?: number | undefined
  /** The last number that is to be deleted. Default: whatever is there. */
  readonly head?: number | undefined
  /** As `Deletion` has it. */
  readonly formerClients: Uint8Array
  /** Becomes known with it, and stays so whatever becomes of the document; of all documents at least the last thousand. */
  readonly key?: WriteKey | undefined
  /** Cursors that tell of the deletion. */
  readonly cursors?: readonly string[]
}

export interface DeletedDocument {
  readonly document: string
  readonly formerClients: Uint8Array
}

/** Which access was taken back. */
export interface RevocationStore {
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

  /**
   * Calls `onChange` when others may have stored revocations, which are to be loaded then: most often within milliseconds,
   * where a message is lost within 2 s. An engine that one process owns has no others, and leaves this out.
   *
   * @param onChange must not throw
   */
  followRevocations?(onChange: () => void): Unfollow
}

/**
 * Carries messages to all servers that share an engine and listen now, the sender among them. Nothing is kept, and any
 * message may be lost: whoever needs to know numbers them. All listeners hear what comes through in one order.
 */
export interface Relay {
  /** Sends a message of any size. Resolves when it is on its way or given up; never rejects. */
  publish(message: Uint8Array): Promise<void>
  /** Reports what is sent from now on, but never within this call. Nothing is reported after the returned call. */
  subscribe(listener: RelayListener): Unfollow
}

/** None of these may throw. */
export interface RelayListener {
  onMessage(message: Uint8Array): void
  /** It listens, for the first time or again: what was sent before was missed. */
  onConnected(): void
  /** Nothing is heard until it listens again. */
  onDisconnected(): void
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

/** A compacted document. Every prefix of `chunks` is a complete document: no struct needs a later chunk. */
export interface Snapshot {
  readonly seq: number
  readonly chunks: readonly Uint8Array[]
  /** Yjs encoding. Null after damage: the reader computes it from the chunks that are left. */
  readonly stateVector: Uint8Array | null
  /** The delete set of the chunks in Yjs' encoding (v1); null as for `stateVector`. */
  readonly deleteSet: Uint8Array | null
}

/** What is left of a document that was deleted; nothing of one that never was. */
export interface Deletion {
  /** Whether it was not made anew since. */
  readonly isDeleted?: boolean
  /** Who wrote it before, as whoever deleted it has encoded that. */
  readonly formerClients?: Uint8Array
}

export interface StoredDocument extends Quarantine, Lineage, Deletion {
  /** The last sequence number, 0 for a document that was never written. */
  readonly head: number
  readonly snapshot: Snapshot | null
  /** The entries from `snapshot.seq + 1` (or 1) to `head`, without a gap. Those of different writers may overlap. */
  readonly tail: readonly LogEntry[]
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
