/** What is told of a document. */
export type DocumentEvent = 'document.created' | 'document.changed' | 'document.deleted'

/** Who is told of documents beside the hooks. */
export interface Told {
  /** The stored cursors of those who are told that this happens to this document. */
  cursorsOf(document: string, event: DocumentEvent): readonly string[]
}

export const NOBODY_TOLD: Told = { cursorsOf: () => [] }
