import { type Clocks, coversState, decodeStateVector, splitDifference } from '../protocol/update/update.ts'
import type { Document } from './document.ts'
import { type Content, Joining } from './joining.ts'
import { EncodedPiece, type Piece } from './piece.ts'
import type { PrivateBytes } from './private-bytes.ts'
import type { Snapshots } from './snapshots.ts'

/** Pieces to send, in order, and where a cursor stands that has taken them all. */
export interface Reading {
  /** Of the reader's own, to be taken out as they are sent: some are made on their way and in memory from then on. */
  readonly pieces: Piece[]
  readonly position: number
  /** Bytes that were searched for this reader alone; 0 where it gets what all get. */
  readonly searchedBytes: number
  /** Whether it is a whole document, of whose pieces all build on the last one. */
  readonly isWhole: boolean
  /** Of the snapshot whose chunks are among the pieces, to be called when they are sent; undefined where none are. */
  readonly release?: () => void
}

export interface ReadingContext {
  readonly snapshots: Snapshots
  readonly privateBytes: PrivateBytes
  readonly chunkBytes: number
  /** What a client with this state vector lacks of the updates, worked out off the event loop. */
  diff(updates: readonly Uint8Array[], stateVector: Uint8Array): Promise<readonly Uint8Array[]>
}

/** A diff of at most this much is done in place: handing it to a worker would cost more. */
const INLINE_DIFF_BYTES = 256 * 1024

/** What a cursor at `position` has missed: the entries since, or the whole document where they are gone. */
export async function readSince(document: Document, position: number, context: ReadingContext): Promise<Reading> {
  const { log } = document
  if (position > 0 && log.reaches(position)) {
    return { pieces: [...log.after(position)], position: log.head, searchedBytes: 0, isWhole: false }
  }
  return withSnapshot(document, context, (content) => readWhole(document, content))
}

/** The whole document in an order in which each piece builds on those before it: the snapshot, then each entry since. */
export function readApart(document: Document, context: ReadingContext): Promise<Reading> {
  return withSnapshot(document, context, ({ snapshot, entries, head }) => {
    const { seq = 0 } = snapshot ?? {}
    const joining = new Joining(context.chunkBytes)
    const stored = inClosedOrder(joining.whole({ snapshot, entries: [], head: seq }), true)
    const base = stored.map(
      ({ update }, place) => new EncodedPiece(update, place < stored.length - 1 ? undefined : seq),
    )
    return { pieces: [...base, ...entries], position: head, searchedBytes: 0, isWhole: false }
  })
}

/**
 * What a client lacks that has the structs up to its state vector, and possibly none of the deletes. Pieces that are
 * made for it alone wait to be let go.
 * @param position where the client's cursor stands; undefined before its first Step1
 * @throws CoeditError MESSAGE_MALFORMED; GONE for a client that has something from before the document was deleted
 */
export async function readDifference(
  document: Document,
  stateVector: Uint8Array,
  position: number | undefined,
  context: ReadingContext,
): Promise<Reading> {
  const clocks = decodeStateVector(stateVector, document.clocks)
  if (!document.formerClients.isEmpty) document.formerClients.expectNone(decodeStateVector(stateVector).keys())
  if (position === document.head && coversState(clocks, document.clocks))
    return { pieces: [], position, searchedBytes: 0, isWhole: false }

  return withSnapshot(document, context, async (content) => {
    const { snapshot, head } = content
    if (clocks.size === 0) return readWhole(document, content)
    const hasSnapshot = !snapshot || snapshot.isCoveredBy(clocks)
    const news = hasSnapshot ? document.log.joining.news(content) : undefined
    if (news) return { pieces: [...news], position: head, searchedBytes: 0, isWhole: false }

    const updates = updatesToSearch(content, hasSnapshot)
    const searchedBytes = updates.reduce((sum, { length }) => sum + length, 0)
    // Where too much is lent, it gets what everybody gets: more bytes on its way, and none in memory.
    if (!context.privateBytes.borrow(searchedBytes)) return readWhole(document, content)
    const pieces = await search(updates, { clocks, stateVector, searchedBytes }, context)
    return { pieces, position: head, searchedBytes, isWhole: false }
  })
}

/** Everything that somebody may lack. */
function updatesToSearch({ snapshot, entries }: Content, hasSnapshot: boolean): readonly Uint8Array[] {
  const tail = entries.map(({ update }) => update)
  if (!hasSnapshot) return [...(snapshot?.chunks ?? []).map(({ update }) => update), ...tail]
  return snapshot?.deletions ? [snapshot.deletions, ...tail] : tail
}

interface Search {
  readonly clocks: Clocks
  readonly stateVector: Uint8Array
  readonly searchedBytes: number
}

/** What of the updates is beyond the state vector, of bytes that were lent for so much as is searched. */
async function search(
  updates: readonly Uint8Array[],
  { clocks, stateVector, searchedBytes }: Search,
  { privateBytes, chunkBytes, diff }: ReadingContext,
): Promise<Piece[]> {
  let found: readonly Uint8Array[] = []
  try {
    const isLarge = searchedBytes > INLINE_DIFF_BYTES
    found = isLarge ? await diff(updates, stateVector) : splitDifference(updates, clocks, chunkBytes)
  } finally {
    privateBytes.repay(searchedBytes - found.reduce((sum, { length }) => sum + length, 0))
  }
  return found.map((update) => ({ update, position: undefined, letGo: () => privateBytes.repay(update.length) }))
}

/** Pieces of a reading in an order in which each builds on those before it alone. */
export function inClosedOrder(pieces: readonly Piece[], isWhole: boolean): readonly Piece[] {
  return isWhole ? [...pieces.slice(-1), ...pieces.slice(0, -1)] : pieces
}

/** Reads with the snapshot in memory. It stays there as long as chunks of it are on their way. */
async function withSnapshot(
  document: Document,
  { snapshots }: ReadingContext,
  read: (content: Content) => Reading | Promise<Reading>,
): Promise<Reading> {
  const { release, ...content } = await snapshots.hold(document)
  let isSent = false
  try {
    const reading = await read(content)
    // Chunks that are sent as they are come first.
    isSent = content.snapshot?.chunks.some((chunk) => chunk === reading.pieces[0]) ?? false
    return isSent ? { ...reading, release } : reading
  } finally {
    if (!isSent) release()
  }
}

function readWhole({ log }: Document, content: Content): Reading {
  return { pieces: [...log.joining.whole(content)], position: content.head, searchedBytes: 0, isWhole: true }
}
