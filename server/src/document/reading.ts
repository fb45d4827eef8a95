import { type Clocks, coversState, decodeStateVector, diffUpdate } from '../protocol/update/update.ts'
import type { Document } from './document.ts'
import { type Piece, PrivatePiece } from './piece.ts'
import type { Loan, PrivateBytes } from './private-bytes.ts'
import type { LoadedSnapshot } from './snapshot.ts'

/** Pieces to send, in order, and where a cursor stands that has taken them all. */
export interface Reading {
  /** Of the reader's own, to be taken out as they are sent: some are made on their way and in memory from then on. */
  readonly pieces: Piece[]
  readonly position: number
  /** Bytes that were searched for this reader alone; 0 where it gets what all get. */
  readonly searchedBytes: number
}

export interface ReadingContext {
  readonly privateBytes: PrivateBytes
  /** The document's present snapshot, read back where it was evicted; null where there is none. Rejects where it is lost. */
  loadSnapshot(document: Document): Promise<LoadedSnapshot | null>
  /** What a client with this state vector lacks of the updates, worked out off the event loop. */
  diff(updates: readonly Uint8Array[], stateVector: Uint8Array): Promise<readonly Uint8Array[]>
}

/** A diff of at most this much is done in place: handing it to a worker would cost more. */
const INLINE_DIFF_BYTES = 256 * 1024

/** What a cursor at `position` has missed: the entries since, or the whole document where they are gone. */
export async function readSince(document: Document, position: number, context: ReadingContext): Promise<Reading> {
  const { log } = document
  if (log.reaches(position)) return { pieces: [...log.after(position)], position: log.head, searchedBytes: 0 }
  const snapshot = await loadSnapshot(document, context)
  return withTail(document, snapshot, snapshot?.chunks ?? [])
}

/**
 * What a client lacks that has the structs up to its state vector, and possibly none of the deletes. Pieces that are
 * made for it alone wait to be let go.
 * @param position where the client's cursor stands; undefined before its first Step1
 * @throws CoeditError MESSAGE_MALFORMED
 */
export async function readDifference(
  document: Document,
  stateVector: Uint8Array,
  position: number | undefined,
  context: ReadingContext,
): Promise<Reading> {
  const clocks = decodeStateVector(stateVector, document.clocks)
  if (position === document.head && coversState(clocks, document.clocks))
    return { pieces: [], position, searchedBytes: 0 }

  const snapshot = await loadSnapshot(document, context)
  if (!snapshot || clocks.size === 0) return withTail(document, snapshot, snapshot?.chunks ?? [])
  if (snapshot.isCoveredBy(clocks)) return withTail(document, snapshot, snapshot.deletes)
  const loan = context.privateBytes.borrow(snapshot.byteLength)
  // Without room it gets what everybody gets: more bytes on its way, and none in memory.
  if (!loan) return withTail(document, snapshot, snapshot.chunks)

  // Taken before the wait: a compaction meanwhile may drop the entries that follow this snapshot.
  const tail = withTail(document, snapshot, [])
  const lacking = await within(loan, () => search(snapshot, { clocks, stateVector }, context))
  return { ...tail, pieces: [...lacking, ...tail.pieces], searchedBytes: snapshot.byteLength }
}

/** What of a snapshot is beyond the state vector. */
async function search(
  snapshot: LoadedSnapshot,
  { clocks, stateVector }: { readonly clocks: Clocks; readonly stateVector: Uint8Array },
  context: ReadingContext,
): Promise<readonly Uint8Array[]> {
  const updates = snapshot.chunks.map((chunk) => chunk.update)
  if (snapshot.byteLength > INLINE_DIFF_BYTES) return context.diff(updates, stateVector)
  return updates.map((update) => diffUpdate(update, clocks)).filter((update) => update !== null)
}

/** What is made for one reader, in room that was borrowed for it and is paid back where making it fails. */
async function within(loan: Loan, make: () => Promise<readonly Uint8Array[]>): Promise<readonly PrivatePiece[]> {
  try {
    const pieces = (await make()).map((update) => new PrivatePiece(update, loan))
    loan.settle(pieces.reduce((sum, { byteLength }) => sum + byteLength, 0))
    return pieces
  } catch (error) {
    loan.settle(0)
    throw error
  }
}

/** The snapshot that the log reaches back to. A compaction that ends in between puts a newer one in its place. */
async function loadSnapshot(document: Document, context: ReadingContext): Promise<LoadedSnapshot | null> {
  for (;;) {
    const snapshot = await context.loadSnapshot(document)
    if (document.log.reaches(snapshot?.seq ?? 0)) return snapshot
  }
}

function withTail({ log }: Document, snapshot: LoadedSnapshot | null, pieces: readonly Piece[]): Reading {
  return { pieces: [...pieces, ...log.after(snapshot?.seq ?? 0)], position: log.head, searchedBytes: 0 }
}
