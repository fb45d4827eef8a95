import { CoeditError } from '../common/errors.ts'
import type { Cursor } from '../document/cursor.ts'
import type { Author, WriteKey } from '../document/subscriber.ts'
import { full } from './open-content.ts'

/**
 * Submits an update of which all is to be taken. Resolves once it is durable. Rejects with DOCUMENT_FULL and UPDATE_INCOMPLETE, and
 * as `Document.submit` throws.
 */
export async function submitTo(
  { document }: Cursor,
  update: Uint8Array,
  author: Author,
  key?: WriteKey,
): Promise<void> {
  const receipt = document.submit(update, author, key)
  await receipt.durable
  if (receipt.isRefused) throw full(document.name)
  if (!receipt.complete) {
    throw new CoeditError('UPDATE_INCOMPLETE', `the update builds on something that '${document.name}' does not have`)
  }
}
