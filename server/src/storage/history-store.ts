import type { LogEntry, StoredDocument } from './document-store.ts'

/**
 * What compactions took out of logs, by document: segments of entries without a gap between them, each a `start` or behind
 * another one. What the document was before a start is kept with it, so that no older segment is needed to tell what it
 * was at an entry.
 */
export interface HistoryStore {
  /** The document as `load` gives it, and its tail with what is known of each entry. Rejects as `load` does. */
  loadDated(document: string): Promise<DatedDocument>

  /**
   * At most `limit` segments of a document, the latest first, before `place` (exclusive; default: all). Rejects with
   * STORAGE_CLOSED.
   */
  listSegments(document: string, place: number | undefined, limit: number): Promise<readonly Segment[]>

  /** The entries of a segment; undefined where it is gone, or damaged. Rejects with STORAGE_CLOSED. */
  readSegment(document: string, place: number): Promise<readonly DatedEntry[] | undefined>

  /**
   * What the document was before the start at this place, as the chunks of a snapshot: none where it was empty;
   * undefined where that is gone, or damaged. Rejects with STORAGE_CLOSED.
   */
  readStart(document: string, place: number): Promise<readonly Uint8Array[] | undefined>

  /**
   * Adds a segment that another storage has of a document, as the last one. Changes nothing where its entries do not
   * come behind those of the segments that are there, directly unless it is a start, or are not taken in by the snapshot.
   * Rejects with STORAGE_CLOSED.
   */
  storeSegment(document: string, segment: WholeSegment): Promise<void>

  /**
   * Removes the segments of all documents in which no entry was written at `time` (in milliseconds of the epoch) or
   * later, except those that stand between an entry that was, and the start before it. Rejects with STORAGE_CLOSED.
   */
  expireHistory(time: number): Promise<void>

  /**
   * Keeps a version under a name, until that or the document is removed. Changes nothing and resolves 'taken' where
   * another one has the name, 'full' where the document has MAX_NAMED_VERSIONS of them, and 'missing' where it is not
   * of the incarnation any more. Rejects with STORAGE_CLOSED.
   */
  nameVersion(document: string, version: NewNamedVersion): Promise<NamingOutcome>

  /** By name, in byte order. Rejects with STORAGE_CLOSED. */
  listNamedVersions(document: string): Promise<readonly NamedVersion[]>

  /** What the document was; undefined where there is none of this name, or it is damaged. Rejects with STORAGE_CLOSED. */
  readNamedVersion(document: string, name: string): Promise<Uint8Array | undefined>

  /** Resolves whether there was one of this name. Rejects with STORAGE_CLOSED. */
  removeNamedVersion(document: string, name: string): Promise<boolean>
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

/** A segment with what it holds. */
export interface WholeSegment {
  /** In order, and without a gap; at least one. */
  readonly entries: readonly DatedEntry[]
  /** What the document was before them, as `readStart` gives it, where it is a start. */
  readonly start?: readonly Uint8Array[] | undefined
}

/** An entry, and what is known of how it was written. */
export interface DatedEntry extends LogEntry {
  /** Whole milliseconds of the epoch; when the document was made where it was written before that was noted. */
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

/** What becomes of a name that is given: `HistoryStore.nameVersion` says what each means. */
export type NamingOutcome = 'named' | 'taken' | 'full' | 'missing'

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
