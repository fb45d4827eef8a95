import * as Y from 'yjs'
import type { Cancel, Clock } from '../common/clock.ts'
import { isolate } from '../common/listeners.ts'
import { rememberDatabase } from './database-list.ts'

/** The stores of y-indexeddb, which can open such a database, too. It has no use for the second one either. */
const UPDATES = 'updates'
const CUSTOM = 'custom'
/** This many updates are merged into one. */
const MERGED_AFTER = 500
/** A browser that has not opened a database by then will not. */
const OPEN_DEADLINE_MS = 10_000

export interface CopyContext {
  /** The name of the database, which must tell servers, documents and users apart. */
  readonly name: string
  readonly doc: Y.Doc
  readonly clock: Clock
  /** What the copy held is part of the document, and the copy has all of that. */
  readonly onKept: () => void
  /** Somebody has the copy deleted: nothing is kept any more. */
  readonly onCleared: () => void
  /** The copy could not be opened, or not be written to: nothing is kept any more. */
  readonly onFailed: (cause: unknown) => void
}

/** Keeps a document in IndexedDB until it is destroyed. Throws where there is no IndexedDB, or none for this page. */
export function keepCopy(context: CopyContext): void {
  new Copy(context).start()
}

/**
 * Writes the format of y-indexeddb without that package, which tells nobody when it fails to open or to write, and asks
 * for no commit. Of 50 edits before a reload, Chromium then lost some in 8 of 10 tries, with a commit in 1 (measured).
 */
class Copy {
  readonly #context: CopyContext
  #database: IDBDatabase | undefined
  #isOver = false
  #written = 0
  #cancelDeadline: Cancel = () => undefined

  constructor(context: CopyContext) {
    this.#context = context
  }

  start(): void {
    const { name, doc, clock } = this.#context
    rememberDatabase(name)
    const request = indexedDB.open(name)
    request.onupgradeneeded = () => {
      request.result.createObjectStore(UPDATES, { autoIncrement: true })
      request.result.createObjectStore(CUSTOM)
    }
    request.onerror = () => this.#fail(request.error)
    request.onsuccess = () => this.#use(request.result)
    this.#cancelDeadline = clock.after(OPEN_DEADLINE_MS, () =>
      this.#fail(new Error('the database did not open in time')),
    )
    doc.on('destroy', this.#onDestroy)
  }

  #use(database: IDBDatabase): void {
    if (this.#isOver) {
      database.close()
      return
    }
    this.#database = database
    // What fails in a request or a transaction arrives here in the end.
    for (const type of ['error', 'abort', 'close'])
      database.addEventListener(type, (event) => this.#fail(causeOf(event)))
    database.onversionchange = () => this.#end(this.#context.onCleared)
    this.#context.doc.on('update', this.#onUpdate)
    this.#merge(database)
  }

  /** Reads and writes in one transaction, so that what another tab writes is read here or comes after it. */
  #merge(database: IDBDatabase): void {
    const { doc, onKept } = this.#context
    const updates = openStore(database)
    const reading = updates.getAll()
    reading.onsuccess = () => {
      isolate(() => doc.transact(() => this.#apply(reading.result), this))
      updates.clear()
      updates.add(Y.encodeStateAsUpdate(doc))
    }
    updates.transaction.oncomplete = () => {
      this.#cancelDeadline()
      onKept()
    }
  }

  #apply(updates: readonly Uint8Array[]): void {
    for (const update of updates) isolate(() => Y.applyUpdate(this.#context.doc, update, this))
  }

  readonly #onUpdate = (update: Uint8Array, origin: unknown): void => {
    if (origin === this || !this.#database) return
    const updates = openStore(this.#database)
    updates.add(update)
    // The commit waits for no answer, which a page that is being closed does not get.
    updates.transaction.commit()
    this.#written += 1
    if (this.#written % MERGED_AFTER === 0) this.#merge(this.#database)
  }

  readonly #onDestroy = () => this.#end(() => undefined)

  #fail(cause: unknown): void {
    this.#end(() => this.#context.onFailed(cause))
  }

  #end(tell: () => void): void {
    if (this.#isOver) return
    this.#isOver = true
    const { doc } = this.#context
    doc.off('update', this.#onUpdate)
    doc.off('destroy', this.#onDestroy)
    this.#cancelDeadline()
    this.#database?.close()
    tell()
  }
}

function openStore(database: IDBDatabase): IDBObjectStore {
  return database.transaction(UPDATES, 'readwrite').objectStore(UPDATES)
}

function causeOf({ target }: Event): unknown {
  return target instanceof IDBRequest || target instanceof IDBTransaction ? target.error : undefined
}
