import type { WriteKey } from './document-store.ts'

/** Which documents there are. */
export interface Catalog {
  /** Names with the prefix, in byte order, after `cursor` (exclusive); at most `limit`. */
  list(prefix: string, cursor: string | undefined, limit: number): Promise<readonly string[]>

  /** Facts about one document, or undefined where nothing is stored under that name. */
  stat(document: string): Promise<DocumentFacts | undefined>

  /**
   * Deletes a document: removes all that is stored of it, and keeps under its name that it was deleted, in one atomic
   * step that is durable when it resolves. From then on appends are refused, unless they are to make it `anew`. Where
   * there is none, that is kept all the same. Resolves false, and changes nothing, where it is another incarnation than
   * the one given, or has gone on.
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
