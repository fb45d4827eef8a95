import { CoeditError } from '../common/errors.ts'
import type { Cursor } from '../document/cursor.ts'
import type { Documents } from '../document/documents.ts'
import type { Place } from '../document/in-process.ts'
import type { Author, WriteKey } from '../document/subscriber.ts'
import { EMPTY_UPDATE } from '../protocol/update/update.ts'

/**
 * Submits updates one after the other, of which all is to be taken; a missing document is made. Resolves once the last one is
 * durable, with which the key becomes known. Rejects with DOCUMENT_FULL and UPDATE_INCOMPLETE, and as `Documents.join` and
 * `Document.submit` do.
 */
export async function submitAll(
  documents: Documents,
  name: string,
  updates: readonly Uint8Array[],
  author: Author,
  key?: WriteKey,
): Promise<Place> {
  const cursor = await documents.join(name)
  try {
    for (const update of updates.slice(0, -1)) await submit(cursor, update, author)
    await submit(cursor, updates.at(-1) ?? EMPTY_UPDATE, author, key)
    return positionOf(cursor)
  } finally {
    cursor.release()
  }
}

async function submit({ document }: Cursor, update: Uint8Array, author: Author, key?: WriteKey): Promise<void> {
  const receipt = document.submit(update, author, key)
  await receipt.durable
  if (receipt.isRefused) throw full(document.name)
  if (!receipt.complete) {
    throw new CoeditError('UPDATE_INCOMPLETE', `the update builds on something that '${document.name}' does not have`)
  }
}

export function positionOf({ document }: Cursor): Place {
  return { incarnation: document.incarnation, position: document.head }
}

export function full(name: string): CoeditError {
  return new CoeditError('DOCUMENT_FULL', `'${name}' is as large as maxDocumentBytes lets it be`)
}
