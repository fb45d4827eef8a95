import { IndexeddbPersistence } from 'y-indexeddb'
import type * as Y from 'yjs'
import type { Clock } from './clock.ts'

/** A browser that has not opened a database by then will not. */
const OPEN_DEADLINE_MS = 10_000

export interface CopyContext {
  /** Of the database: it must tell servers, documents and users apart. */
  readonly name: string
  readonly doc: Y.Doc
  readonly clock: Clock
  /** What the copy held is part of the document, which is kept from now on. */
  readonly onKept: () => void
  /** Somebody has the copy deleted: nothing is kept any more. */
  readonly onCleared: () => void
  /** The copy could not be opened, or not be written to: nothing is kept any more. */
  readonly onFailed: (cause: unknown) => void
}

/**
 * Merges a document with its copy in IndexedDB, and keeps its changes there until the document is destroyed.
 * y-indexeddb tells nobody when that fails, so it is read from the database, where the events of all requests and
 * transactions arrive in the end.
 */
export function keepCopy({ name, doc, clock, onKept, onCleared, onFailed }: CopyContext): void {
  if (typeof indexedDB === 'undefined') {
    onFailed(new Error('this runtime has no IndexedDB'))
    return
  }
  const copy = new IndexeddbPersistence(name, doc)
  let isOver = false
  const end = (tell: () => void) => {
    if (isOver) return
    isOver = true
    cancelDeadline()
    // At once, because a write to a closed database would throw into the edit that causes it. Rejects when the database
    // could not be opened, which has been told.
    copy.destroy().catch(() => undefined)
    tell()
  }
  const fail = (cause: unknown) => end(() => onFailed(cause))
  const cancelDeadline = clock.after(OPEN_DEADLINE_MS, () => fail(new Error('the database did not open in time')))
  doc.on('destroy', () => end(() => undefined))
  copy._db.then((database) => {
    for (const type of ['error', 'abort', 'close']) database.addEventListener(type, (event) => fail(causeOf(event)))
    database.addEventListener('versionchange', () => end(onCleared))
  }, fail)
  copy.on('synced', () => {
    cancelDeadline()
    onKept()
  })
}

function causeOf({ target }: Event): unknown {
  return target instanceof IDBRequest || target instanceof IDBTransaction ? target.error : undefined
}
