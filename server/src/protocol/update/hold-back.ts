import { diffUpdate, mergeEntries } from './compose.ts'
import { NO_DELETES } from './ranges.ts'
import { type StructRun, startRun } from './runs.ts'
import { indexUpdate, type ScannedUpdate, scanUpdate } from './scan.ts'
import { writeUpdate } from './sections.ts'
import { cutStruct, dropIds } from './slice.ts'
import { restOf, StructPieces, splitDeletes } from './split.ts'
import type { Clocks } from './state.ts'
import { NO_CLIENT, StructReader } from './structs.ts'
import { type SectionCursor, walkClosed } from './walk.ts'

/**
 * A client that keeps pieces pending merges them with each further one, so what a join costs it grows with their number:
 * 20 MB of text took Yjs 3 s in one piece, 8 s in 9, 10 s in 20 and 39 s in 77 (measured).
 */
const MAX_JOIN_PIECES = 8
/** A longer first struct is cut, so that the piece which brings it stays small. */
const MAX_ROOT_BYTES = 256
/** The clocks of a client that has nothing. */
const NO_CLOCKS: Clocks = new Map()
/** An update without content, which marks the chunks of a snapshot as parted: older snapshots have no such chunk. */
const NOTHING = Uint8Array.of(0, 0)

/** An update in two. */
export interface HeldBack {
  /** Updates of which a client that has nothing integrates nothing before it has `held`. */
  readonly pieces: readonly Uint8Array[]
  /** An update without deletions that builds on none of them. */
  readonly held: Uint8Array
}

/** Size of the pieces in which a joining client is sent `totalBytes`: `minBytes` unless that makes too many. */
export function joinPieceBytes(totalBytes: number, minBytes: number): number {
  return Math.max(minBytes, Math.ceil(totalBytes / MAX_JOIN_PIECES))
}

/**
 * Parts an update for a client that has nothing, so that it shows nothing before it has all: Yjs keeps structs and
 * deletions pending whose predecessors it lacks, and integrates all of them in one transaction when those come. Held back
 * is the first struct of each writer, unless it builds on another writer's. Linear.
 * @param maxBytes of each of the pieces; an item that cannot be cut stands alone, and there is one piece at most where
 *   the update is not larger
 */
export function holdBack(update: Uint8Array, maxBytes: number): HeldBack {
  const index = indexUpdate(update)
  const fits = update.length <= maxBytes
  const halves = new Halves(NO_CLOCKS, fits ? Number.POSITIVE_INFINITY : maxBytes)
  halves.addAll(index)
  const held = writeUpdate(halves.held, NO_DELETES)
  if (fits) return { pieces: halves.pieces.finish(update.subarray(index.deletesStart)), held }
  return { pieces: [...halves.pieces.finish(), ...splitDeletes(index.deletes, maxBytes)], held }
}

/**
 * What a client with the state vector `clocks` lacks of consecutive updates, as updates of about `minBytes` on the last
 * of which the others build; nothing where it lacks nothing. Deletions come with the last one, or, where they are large,
 * right before it: of what the client has already they are shown then.
 */
export function splitDifference(updates: readonly Uint8Array[], clocks: Clocks, minBytes: number): Uint8Array[] {
  const parts = updates.map((update) => diffUpdate(update, clocks)).filter((part) => part !== null)
  if (parts.length === 0) return []
  const missing = mergeEntries(parts)
  const maxBytes = joinPieceBytes(missing.length, minBytes)
  if (missing.length <= maxBytes) return [missing]
  const index = indexUpdate(missing)
  const halves = new Halves(clocks, maxBytes)
  halves.addAll(index)
  const pieces = halves.pieces.finish()
  if (missing.length - index.deletesStart <= maxBytes) {
    return [...pieces, writeUpdate(halves.held, missing.subarray(index.deletesStart))]
  }
  const deletes = splitDeletes(index.deletes, maxBytes)
  return [...pieces, ...deletes, ...(halves.held.length > 0 ? [writeUpdate(halves.held, NO_DELETES)] : [])]
}

/**
 * Splits a whole document into updates of about `minBytes` to be stored, unless it is smaller: after one that marks them
 * comes what `holdBack` holds back, then its pieces. Every prefix is complete, so that what damage leaves over is.
 * @throws CoeditError UPDATE_MALFORMED
 */
export function splitSnapshot(update: Uint8Array, minBytes: number): Uint8Array[] {
  const scanned = scanUpdate(update)
  const maxBytes = joinPieceBytes(update.length, minBytes)
  if (update.length <= maxBytes) return [update]
  const halves = new Halves(NO_CLOCKS, maxBytes)
  const cursors = walkClosed(scanned, {
    known: () => 0,
    gapsAreKnown: false,
    visit: (cursor, struct) => halves.add(cursor, struct),
  })
  const circles = restOf(scanned, cursors)
  return [
    NOTHING,
    writeUpdate(halves.held, NO_DELETES),
    ...halves.pieces.finish(),
    ...(circles.length > 0 ? [writeUpdate(circles, NO_DELETES)] : []),
    ...splitDeletes(scanned.deletes, maxBytes),
  ]
}

/** Whether chunks are what `splitSnapshot` made of a document that was larger than one. */
export function isParted(chunks: readonly Uint8Array[]): boolean {
  return chunks.length > 1 && chunks[0].length === NOTHING.length
}

/** Sorts structs into those that are held back and pieces of the others. */
class Halves {
  readonly held: StructRun[] = []
  readonly pieces: StructPieces
  readonly #clocks: Clocks

  constructor(clocks: Clocks, maxBytes: number) {
    this.#clocks = clocks
    this.pieces = new StructPieces(maxBytes)
  }

  /** Adds the structs in the order of the bytes. */
  addAll({ bytes, sections }: ScannedUpdate): void {
    const struct = new StructReader(bytes, false)
    for (const { client, clock, count, from } of sections) {
      const section = { run: null }
      struct.position = from
      for (let left = count, at = clock; left > 0; left--, at = struct.end) {
        struct.read(client, at)
        this.add(section, struct)
      }
    }
  }

  add(section: Pick<SectionCursor, 'run'>, struct: StructReader): void {
    if (isRoot(struct, this.#clocks)) this.#hold(section, struct)
    else this.pieces.add(section, struct)
  }

  #hold(section: Pick<SectionCursor, 'run'>, struct: StructReader): void {
    const { client, clock, length } = struct
    const [root] = cutStruct(struct, MAX_ROOT_BYTES)
    if (root.length === length) {
      this.held.push(startRun(struct, 0))
      return
    }
    const { bytes } = root
    const end = clock + root.length
    this.held.push({ client, clock, end, count: 1, head: null, bytes, from: 0, to: bytes.length })
    const rest = new StructReader(dropIds(struct, root.length), false)
    rest.read(client, end)
    this.pieces.add(section, rest)
    // The structs that follow lie in other bytes.
    section.run = null
  }
}

/** Whether a client with these clocks, which lacks the struct, can integrate it at once. */
function isRoot(struct: StructReader, clocks: Clocks): boolean {
  const { client, clock, originClient, originClock, rightOriginClient, rightOriginClock } = struct
  const lacks = (id: number, at: number) => id !== client && id !== NO_CLIENT && at >= (clocks.get(id) ?? 0)
  return (
    clock === (clocks.get(client) ?? 0) &&
    !lacks(originClient, originClock) &&
    !lacks(rightOriginClient, rightOriginClock) &&
    !lacks(struct.parentClient, struct.parentClock)
  )
}
