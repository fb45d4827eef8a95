import { KnownState, scanUpdate, trimEntry } from '../protocol/update/update.ts'
import type { StoredDocument } from '../storage/document-store.ts'

/** An update without structs and deletions. */
const EMPTY_BYTES = 2

/** What a document consists of, in the order of its log: its chunks, and what each later entry brought that was new. */
export function entriesOf({ snapshot, tail }: Pick<StoredDocument, 'snapshot' | 'tail'>): readonly Uint8Array[] {
  const known = new KnownState()
  const chunks = snapshot?.chunks ?? []
  for (const chunk of chunks) known.absorb(scanUpdate(chunk))
  const entries = tail.map(({ update }) => trimEntry(update, known))
  return [...chunks, ...entries.filter(({ length }) => length > EMPTY_BYTES)]
}
