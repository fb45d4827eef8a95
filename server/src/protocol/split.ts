import {
  DELETED_CLIENT_BYTES,
  DELETED_RANGE_BYTES,
  encodeDeleteSet,
  type IdRanges,
  NO_DELETES,
  type Ranges,
} from './ranges.ts'
import { extendRun, SECTION_HEADER_BYTES, type StructRun, startRun, writeUpdate } from './runs.ts'
import { type ScannedUpdate, scanUpdate } from './scan.ts'
import { cutStruct } from './slice.ts'
import { StructReader } from './structs.ts'
import { type SectionCursor, walkClosed } from './walk.ts'

/** What a piece holds besides its sections: their number and an empty delete set; or no sections and a client count. */
const PIECE_BYTES = 10

/**
 * Splits an update into updates of at most `maxBytes`, in an order in which every prefix is complete: nothing in a
 * piece needs a later one. Ids that the update does not contain count as present. Structs that wait for each other in
 * a circle, which no client ever shows, come last among the structs; deletions follow all structs. A struct longer
 * than `maxBytes` is cut where its content can be; where it cannot, its piece is larger.
 * @throws CoeditError UPDATE_MALFORMED
 */
export function splitUpdate(update: Uint8Array, maxBytes: number): Uint8Array[] {
  const scanned = scanUpdate(update)
  if (update.length <= maxBytes) return [update]
  return [...splitStructs(scanned, maxBytes), ...splitDeletes(scanned.deletes, maxBytes)]
}

function splitStructs(update: ScannedUpdate, maxBytes: number): Uint8Array[] {
  const pieces = new StructPieces(maxBytes)
  const starts = new Map(update.sections.map(({ client, clock }) => [client, clock]))
  const cursors = walkClosed(update, {
    known: (client) => starts.get(client) ?? Number.POSITIVE_INFINITY,
    gapsAreKnown: true,
    visit: (cursor, struct) => pieces.add(cursor, struct),
  })
  for (const cursor of cursors) addBlocked(cursor, update, pieces)
  return pieces.finish()
}

function addBlocked(cursor: SectionCursor, update: ScannedUpdate, pieces: StructPieces): void {
  const struct = new StructReader(update.bytes, false)
  struct.position = cursor.position
  for (let { clock, left } = cursor; left > 0; left--) {
    struct.read(cursor.client, clock)
    pieces.add(cursor, struct)
    clock = struct.end
  }
}

class StructPieces {
  readonly #maxBytes: number
  readonly #pieces: Uint8Array[] = []
  #runs: StructRun[] = []
  /** Sections whose last run belongs to the current piece and can be extended. */
  #open: SectionCursor[] = []
  #size = PIECE_BYTES

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  add(cursor: SectionCursor, struct: StructReader): void {
    const size = struct.position - struct.start
    if (PIECE_BYTES + SECTION_HEADER_BYTES + size > this.#maxBytes) {
      this.#addParts(cursor, struct)
      return
    }
    this.#makeRoom(size + (cursor.run === null ? SECTION_HEADER_BYTES : 0))
    if (cursor.run !== null) {
      extendRun(cursor.run, struct)
      this.#size += size
      return
    }
    cursor.run = startRun(struct, 0)
    this.#open.push(cursor)
    this.#push(cursor.run, size)
  }

  finish(): Uint8Array[] {
    this.#flush()
    return this.#pieces
  }

  #addParts(cursor: SectionCursor, struct: StructReader): void {
    let { clock } = struct
    for (const part of cutStruct(struct, this.#maxBytes - PIECE_BYTES - SECTION_HEADER_BYTES)) {
      const end = clock + part.length
      this.#makeRoom(part.bytes.length + SECTION_HEADER_BYTES)
      const run = { client: struct.client, clock, end, count: 1, head: part.bytes, bytes: part.bytes, from: 0, to: 0 }
      this.#push(run, part.bytes.length)
      clock = end
    }
    cursor.run = null
  }

  #push(run: StructRun, size: number): void {
    this.#runs.push(run)
    this.#size += SECTION_HEADER_BYTES + size
  }

  #makeRoom(size: number): void {
    if (this.#size + size > this.#maxBytes) this.#flush()
  }

  #flush(): void {
    if (this.#runs.length === 0) return
    this.#pieces.push(writeUpdate(this.#runs, NO_DELETES))
    for (const cursor of this.#open) cursor.run = null
    this.#runs = []
    this.#open = []
    this.#size = PIECE_BYTES
  }
}

function splitDeletes(deletes: IdRanges, maxBytes: number): Uint8Array[] {
  const pieces: Uint8Array[] = []
  let piece = new Map<number, Ranges>()
  let size = PIECE_BYTES
  const flush = () => {
    pieces.push(writeUpdate([], encodeDeleteSet(piece)))
    piece = new Map()
    size = PIECE_BYTES
  }
  for (const [client, ranges] of deletes) {
    for (let i = 0; i < ranges.length; ) {
      if (size + DELETED_CLIENT_BYTES + DELETED_RANGE_BYTES > maxBytes && piece.size > 0) flush()
      const room = Math.max(1, Math.floor((maxBytes - size - DELETED_CLIENT_BYTES) / DELETED_RANGE_BYTES))
      const part = ranges.slice(i, i + 2 * room)
      piece.set(client, part)
      size += DELETED_CLIENT_BYTES + (part.length / 2) * DELETED_RANGE_BYTES
      i += part.length
    }
  }
  if (piece.size > 0) flush()
  return pieces
}
