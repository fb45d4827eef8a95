import * as Y from 'yjs'
import { coversState, KnownState, mergeEntries, scanUpdate, splitSnapshot } from '../protocol/update/update.ts'
import type { Contents } from './jobs.ts'

/** A document as chunks of which every prefix is complete, in the form of `splitSnapshot`, and what they contain. */
export interface Compaction extends Contents {
  readonly chunks: readonly Uint8Array[]
}

/**
 * Compacts a document and frees the content that was deleted, by way of a Y.Doc. Throws where it cannot vouch that all
 * of the document is in the result: hostile content makes Yjs throw, exceed the stack or leave updates pending.
 */
export function compactCollecting(updates: readonly Uint8Array[], maxChunkBytes: number): Compaction {
  const merged = mergeEntries(updates)
  return vouchedFor(splitSnapshot(withoutGarbage(merged), maxChunkBytes), merged)
}

/** Compacts a document by copying: linear, and nothing is freed. */
export function compactCopying(updates: readonly Uint8Array[], maxChunkBytes: number): Compaction {
  const merged = mergeEntries(updates)
  return vouchedFor(splitSnapshot(merged, maxChunkBytes), merged)
}

function withoutGarbage(update: Uint8Array): Uint8Array {
  const doc = new Y.Doc({ gc: true })
  try {
    Y.applyUpdate(doc, update)
    if (doc.store.pendingStructs || doc.store.pendingDs) throw new Error('Yjs left a part of the document pending')
    return Y.encodeStateAsUpdate(doc)
  } finally {
    doc.destroy()
  }
}

/** Throws unless the chunks have exactly the structs of the original without a gap, and at least its deletions. */
function vouchedFor(chunks: readonly Uint8Array[], original: Uint8Array): Compaction {
  const expected = new KnownState()
  expected.absorb(scanUpdate(original))
  const state = new KnownState()
  for (const update of chunks.map(scanUpdate)) {
    for (const { client, clock } of update.sections) {
      const next = state.clocks.get(client) ?? 0
      if (clock !== next) throw new Error(`client ${client} goes on at clock ${clock}, expected ${next}`)
    }
    state.absorb(update)
  }
  const hasAllStructs = coversState(state.clocks, expected.clocks) && coversState(expected.clocks, state.clocks)
  if (!hasAllStructs) throw new Error('the compacted document has not the state vector of the original')
  const deleteSet = state.encodeDeleteSet()
  if (state.delete(expected.deleted).size > 0) throw new Error('the compacted document lacks deletions of the original')
  return { chunks, stateVector: state.encodeStateVector(), deleteSet }
}
