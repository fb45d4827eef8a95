import * as Y from 'yjs'
import { normalizeLineEnds } from '../common/line-ends.ts'

/** What it takes to have no line end in the texts of a document but `\n`. */
export interface Normalization {
  /** An edit of an author of its own; null where there is nothing to change. */
  readonly update: Uint8Array | null
  /** How many line ends it changes. */
  readonly lineEnds: number
  /** Whether Yjs cannot integrate what is in the document: then its line ends stay as they are. */
  readonly isUnreadable: boolean
}

export const AS_IT_IS: Normalization = { update: null, lineEnds: 0, isUnreadable: false }

/** @param updates all of the document, in their order */
export function normalizationOf(updates: readonly Uint8Array[]): Normalization {
  const doc = new Y.Doc()
  // Yjs deletes formatting that has no effect while it applies what others wrote, which nobody asked for here.
  doc.on('beforeObserverCalls', (transaction) => {
    transaction.local = true
  })
  try {
    for (const update of updates) Y.applyUpdate(doc, update)
  } catch {
    // Whatever a vandal made Yjs throw: the documents that follow are still to be imported.
    return { ...AS_IT_IS, isUnreadable: true }
  }
  let update: Uint8Array | null = null
  doc.on('update', (change: Uint8Array) => {
    update = change
  })
  const lineEnds = doc.transact(() => normalizeLineEnds(Y, doc, new Map()))
  return { update, lineEnds, isUnreadable: false }
}
