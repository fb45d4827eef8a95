import { CoeditError } from '../common/errors.ts'
import type { Snapshot } from '../storage/document-store.ts'
import type { Document } from './document.ts'
import type { DocumentLog } from './document-log.ts'
import type { Content } from './joining.ts'
import { LoadedSnapshot } from './snapshot.ts'

/** A document whose snapshot stays in memory, shared by all who hold it. */
export interface Hold extends Content {
  /** To be called when the snapshot is not needed any more. A second call does nothing. */
  readonly release: () => void
}

type Source = Pick<Document, 'name' | 'log' | 'failure'>

/** What is in memory of the snapshots of one document. */
class Shelf {
  /** The newest one, unless it was dropped. */
  present: LoadedSnapshot | null = null
  /** What is being read back. */
  loading: Promise<LoadedSnapshot | null> | undefined
  /** Those that somebody holds, be they present or replaced since. None is without a holder. */
  readonly held = new Map<LoadedSnapshot, Set<() => void>>()
  isForgotten = false
}

/**
 * The snapshots in memory. Those that are held stay: a copy for each who asks would be as much as they like. Of the
 * others, those used longest ago are dropped when all documents together have too many bytes.
 */
export class Snapshots {
  readonly #maxBytes: number
  readonly #load: (name: string) => Promise<Snapshot | null>
  readonly #shelves = new WeakMap<Source, Shelf>()
  /** Those whose present snapshot nobody holds, in the order of use. */
  readonly #idle = new Set<Shelf>()
  #idleBytes = 0

  /**
   * @param maxBytes of the snapshots that nobody holds
   * @param load reads the stored snapshot of a document; null where there is none
   */
  constructor(maxBytes: number, load: (name: string) => Promise<Snapshot | null>) {
    this.#maxBytes = maxBytes
    this.#load = load
  }

  /** The document goes on with this snapshot. To be called in the turn in which its log does, too. */
  put(document: Source, snapshot: LoadedSnapshot): void {
    const shelf = this.#shelfOf(document)
    shelf.loading = undefined
    this.#place(shelf, snapshot)
  }

  /**
   * Holds the present snapshot of a document, which is read back where it was dropped. Rejects with STORAGE_DAMAGED where
   * it is lost, with why the document has failed where that is so, and as loading does.
   */
  async hold(document: Source): Promise<Hold> {
    const { name, log } = document
    const shelf = this.#shelfOf(document)
    for (;;) {
      const wanted = log.snapshotSeq
      if ((shelf.present?.seq ?? 0) >= wanted) return this.#hold(shelf, shelf.present, log)
      shelf.loading ??= this.#read(name, shelf)
      const loaded = await shelf.loading
      if (loaded && loaded.seq >= log.snapshotSeq) return this.#hold(shelf, loaded, log)
      // A compaction has put a newer one in its place meanwhile; or else it is gone.
      if (log.snapshotSeq === wanted) {
        throw (
          document.failure ??
          new CoeditError('STORAGE_DAMAGED', `snapshot ${wanted} of '${name}' could not be read back`)
        )
      }
    }
  }

  /** How many snapshots of a document somebody holds. */
  heldCount(document: Source): number {
    return this.#shelves.get(document)?.held.size ?? 0
  }

  /** The document leaves memory, and its snapshot too, as soon as nobody holds or reads it any more. */
  forget(document: Source): void {
    const shelf = this.#shelfOf(document)
    shelf.isForgotten = true
    this.#drop(shelf)
  }

  #shelfOf(document: Source): Shelf {
    const shelf = this.#shelves.get(document) ?? new Shelf()
    this.#shelves.set(document, shelf)
    return shelf
  }

  #read(name: string, shelf: Shelf): Promise<LoadedSnapshot | null> {
    return this.#load(name)
      .then((stored) => stored && new LoadedSnapshot(stored))
      .finally(() => {
        shelf.loading = undefined
      })
  }

  #hold(shelf: Shelf, snapshot: LoadedSnapshot | null, log: DocumentLog): Hold {
    const content = { snapshot, entries: log.entriesAfter(snapshot?.seq ?? 0), head: log.head }
    if (!snapshot) return { ...content, release: () => undefined }
    this.#drop(shelf)
    shelf.present = snapshot
    const holders = shelf.held.get(snapshot) ?? new Set()
    const release = () => {
      if (!holders.delete(release) || holders.size > 0) return
      shelf.held.delete(snapshot)
      if (shelf.present === snapshot) this.#place(shelf, snapshot)
    }
    shelf.held.set(snapshot, holders.add(release))
    return { ...content, release }
  }

  /** Makes a snapshot that nobody holds the present one, until it is dropped in its turn. */
  #place(shelf: Shelf, snapshot: LoadedSnapshot): void {
    this.#drop(shelf)
    if (shelf.isForgotten) return
    shelf.present = snapshot
    this.#idle.add(shelf)
    this.#idleBytes += snapshot.byteLength
    for (const oldest of this.#idle) {
      if (this.#idleBytes <= this.#maxBytes) break
      this.#drop(oldest)
    }
  }

  #drop(shelf: Shelf): void {
    if (this.#idle.delete(shelf)) this.#idleBytes -= shelf.present?.byteLength ?? 0
    shelf.present = null
  }
}
