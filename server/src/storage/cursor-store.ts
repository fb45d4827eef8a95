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
  advance(cursor: string, document: string, seq: number, incarnation: number): Promise<CursorOutcome>

  /**
   * Ends what a cursor has to tell of a deletion, as of the time with which it was claimed. Resolves 'told' where
   * nothing is left to be told, 'behind' where the document was made anew since, and 'lost' as `advance` does. Rejects
   * with STORAGE_CLOSED.
   */
  toldDeletion(cursor: string, document: string, deletedAt: number): Promise<CursorOutcome>

  /**
   * Notes at a cursor that it could not be told, until it has moved or `retry` is called. Resolves false, and changes
   * nothing, where it is no longer this server's, or is not at what was claimed any more. Rejects with STORAGE_CLOSED.
   *
   * @param deletedAt as it was claimed
   */
  postpone(cursor: string, document: string, failure: CursorFailure, deletedAt?: number): Promise<boolean>

  /**
   * Documents with a cursor of this name that no other living server holds, and that need not wait for `retryAt`: first
   * those that nobody holds; at most `limit`.
   */
  untold(cursor: string, limit: number): Promise<readonly string[]>

  /** Cursors of this name with a failure, by document in byte order, after `after` (exclusive); at most `limit`. */
  listPostponed(cursor: string, after: string | undefined, limit: number): Promise<readonly PostponedCursor[]>

  /** Forgets the failure of a cursor; without a document, those of all of this name. Rejects with STORAGE_CLOSED. */
  retry(cursor: string, document?: string): Promise<void>
}

/**
 * What has become of a cursor that was to move: `told`, and it is gone, where nothing is left to be told; `behind` where
 * something is; `lost` where it stands where it stood, and this server cannot move it now.
 */
export type CursorOutcome = 'told' | 'behind' | 'lost'

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
