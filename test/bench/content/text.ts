import * as Y from 'yjs'
import { traceTextIn } from '../../support/traces.ts'

const END_CLIENT_ID = 4_294_967_295

/** The text that all loads write to. */
export function textOf(document: Y.Doc): Y.Text {
  return traceTextIn(document)
}

/**
 * A last update, beside the text: who has it knows that everything sent before has arrived, deletions too, which take
 * no clock of their own.
 */
export function markEnd(): Uint8Array {
  const document = new Y.Doc()
  document.clientID = END_CLIENT_ID
  document.getText('end').insert(0, '.')
  return Y.encodeStateAsUpdate(document)
}

/** The document that a reader of these updates has. */
export function documentFrom(updates: Iterable<Uint8Array>): Y.Doc {
  const document = new Y.Doc()
  document.transact(() => {
    for (const update of updates) Y.applyUpdate(document, update)
  })
  return document
}

/** Runs `write` and returns the updates that it caused, one a transaction. */
export function recordUpdates(document: Y.Doc, write: () => void): Uint8Array[] {
  const updates: Uint8Array[] = []
  const take = (update: Uint8Array): void => {
    updates.push(update)
  }
  document.on('update', take)
  write()
  document.off('update', take)
  return updates
}

/** Throws unless the reader's text is the expected one. */
export function expectText(reader: Y.Doc, expected: string, whose: string): void {
  const actual = textOf(reader).toString()
  if (actual === expected) return
  throw new Error(
    `${whose} has a text of ${actual.length} characters that differs from the ${expected.length} written.`,
  )
}
