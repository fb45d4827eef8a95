import * as Y from 'yjs'

const ROOT = 'content'

/** The text that all loads write to. */
export function textOf(document: Y.Doc): Y.Text {
  return document.getText(ROOT)
}

/**
 * Writes a last character beside the text: who has it knows that everything before has arrived, deletions too, which
 * take no clock of their own.
 */
export function markEnd(document: Y.Doc): void {
  document.getText('end').insert(0, '.')
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
