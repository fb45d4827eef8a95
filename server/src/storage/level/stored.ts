import type { Deletion, StoredDocument } from '../storage.ts'
import type { Openings } from './incarnation.ts'
import type { Layout } from './layout.ts'
import type { Position } from './lookup.ts'

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

export function describe(
  id: number,
  layout: Layout,
  openings: Openings,
): { position: Position; stored: LevelDocument } {
  const stored = toStored(layout, openings)
  return { stored, position: { id, incarnation: layout.metadata.incarnation, head: stored.head } }
}

export function toStored({ metadata, chunks, tail, quarantined }: Layout, openings: Openings): LevelDocument {
  const { snapshotSeq, incarnation, stateVector, deleteSet } = metadata
  const updates = chunks.map((chunk) => chunk.update)
  const head = tail.at(-1)?.seq ?? snapshotSeq
  return {
    head,
    incarnation: openings.incarnationOf(incarnation),
    earlierIncarnations: openings.earlierOf(incarnation).map((earlier) => ({ incarnation: earlier, last: head })),
    snapshot: snapshotSeq === 0 ? null : { seq: snapshotSeq, chunks: updates, stateVector, deleteSet },
    tail: tail.map(({ seq, update }) => ({ seq, update })),
    quarantined: quarantined.flatMap(({ id, update }) => (update ? [{ id, update }] : [])),
  }
}
