import type { Deletion, StoredDocument } from '../document-store.ts'
import type { Openings } from './incarnation.ts'
import type { Layout } from './layout.ts'

/** What LevelDB tells of a document: it knows its quarantine and its earlier openings. */
export type LevelDocument = Required<Omit<StoredDocument, keyof Deletion>> & Deletion

/** A document that was never written. */
export const NOTHING: LevelDocument = {
  head: 0,
  incarnation: 0,
  earlierIncarnations: [],
  snapshot: null,
  tail: [],
  quarantined: [],
}

/** The number of the last entry. */
export function headOf({ metadata, tail }: Layout): number {
  return tail.at(-1)?.seq ?? metadata.snapshotSeq
}

export function toStored(layout: Layout, openings: Openings): LevelDocument {
  const { metadata, chunks, tail, quarantined } = layout
  const { snapshotSeq, incarnation, stateVector, deleteSet } = metadata
  const updates = chunks.map((chunk) => chunk.update)
  const head = headOf(layout)
  return {
    head,
    incarnation: openings.incarnationOf(incarnation),
    earlierIncarnations: openings.earlierOf(incarnation).map((earlier) => ({ incarnation: earlier, last: head })),
    snapshot: snapshotSeq === 0 ? null : { seq: snapshotSeq, chunks: updates, stateVector, deleteSet },
    tail: tail.map(({ seq, update }) => ({ seq, update })),
    quarantined: quarantined.flatMap(({ id, update }) => (update ? [{ id, update }] : [])),
  }
}
