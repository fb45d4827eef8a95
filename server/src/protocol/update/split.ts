import { FIRST_XML_TYPE, KIND } from './content.ts'
import {
  DELETED_CLIENT_BYTES,
  DELETED_RANGE_BYTES,
  encodeDeleteSet,
  type IdRanges,
  NO_DELETES,
  type Ranges,
} from './ranges.ts'
import { extendRun, SECTION_HEADER_BYTES, type StructRun, sectionRun, startRun } from './runs.ts'
import { type ScannedUpdate, scanUpdate } from './scan.ts'
import { writeUpdate } from './sections.ts'
import { cutStruct } from './slice.ts'
import type { StructReader } from './structs.ts'
import { type SectionCursor, walkClosed } from './walk.ts'

/** What a piece holds besides its sections: their number and an empty delete set; or no sections and a client count. */
const PIECE_BYTES = 10

/**
 * Splits an update into updates of at most `maxBytes`, in an order in which every prefix is complete: nothing in a
 * piece needs a later one. Ids that the update does not contain count as present. A struct longer than `maxBytes` is
 * cut where its content can be; where it cannot, its piece is larger.
 *
 * One kind of piece is larger on purpose: rich text, with all that builds on it and all deletions, comes last and in
 * one piece. Clients repair what looks broken in a part of it, and send the repair: Yjs deletes a formatting mark that
 * has no effect without the marks of another piece, and editors delete elements whose children are still to come.
 * Structs that wait for each other in a circle, which no client ever shows, come there too.
 * @throws CoeditError UPDATE_MALFORMED, UPDATE_TOO_DEEP
 */
export function splitUpdate(update: Uint8Array, maxBytes: number): Uint8Array[] {
  const scanned = scanUpdate(update)
  if (update.length <= maxBytes) return [update]
  const pieces = new StructPieces(maxBytes)
  const starts = new Map(scanned.sections.map(({ client, clock }) => [client, clock]))
  const cursors = walkClosed(scanned, {
    known: (client) => starts.get(client) ?? Number.POSITIVE_INFINITY,
    gapsAreKnown: true,
    holdsBack: isRichText,
    visit: (cursor, struct) => pieces.add(cursor, struct),
  })
  const rest = restOf(scanned, cursors)
  if (rest.length === 0) return [...pieces.finish(), ...splitDeletes(scanned.deletes, maxBytes)]
  return [...pieces.finish(), writeUpdate(rest, encodeDeleteSet(scanned.deletes))]
}

function isRichText(struct: StructReader): boolean {
  if (struct.kind === KIND.format) return true
  return struct.kind === KIND.type && struct.bytes[struct.contentStart] >= FIRST_XML_TYPE
}

/** What the walk has not visited. */
export function restOf(update: ScannedUpdate, cursors: readonly SectionCursor[]): StructRun[] {
  const rest: StructRun[] = []
  for (const [i, { clock, left, position }] of cursors.entries()) {
    if (left === 0) continue
    rest.push(sectionRun(update.bytes, { ...update.sections[i], clock, count: left, from: position }))
  }
  return rest
}

/** The section that is being collected, and its run in the piece at hand. */
type Collecting = Pick<SectionCursor, 'run'>

/** Collects structs into updates of at most `maxBytes`. */
export class StructPieces {
  readonly #maxBytes: number
  readonly #pieces: Uint8Array[] = []
  #runs: StructRun[] = []
  /** Sections whose last run belongs to the current piece and can be extended. */
  #open: Collecting[] = []
  #size = PIECE_BYTES

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  add(cursor: Collecting, struct: StructReader): void {
    const size = struct.position - struct.start
    if (PIECE_BYTES + SECTION_HEADER_BYTES + size > this.#maxBytes) {
      this.#addParts(cursor, struct)
      return
    }
    this.#ensureFits(size + (cursor.run === null ? SECTION_HEADER_BYTES : 0))
    if (cursor.run !== null) {
      extendRun(cursor.run, struct)
      this.#size += size
      return
    }
    cursor.run = startRun(struct, 0)
    this.#open.push(cursor)
    this.#push(cursor.run, size)
  }

  /** @param deletes for the last piece, whatever its size */
  finish(deletes: Uint8Array = NO_DELETES): Uint8Array[] {
    if (this.#runs.length > 0 || deletes.length > NO_DELETES.length) this.#pieces.push(writeUpdate(this.#runs, deletes))
    return this.#pieces
  }

  #addParts(cursor: Collecting, struct: StructReader): void {
    let { clock } = struct
    for (const part of cutStruct(struct, this.#maxBytes - PIECE_BYTES - SECTION_HEADER_BYTES)) {
      const end = clock + part.length
      this.#ensureFits(part.bytes.length + SECTION_HEADER_BYTES)
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

  #ensureFits(size: number): void {
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

/** Splits deletions into updates without structs. */
export function splitDeletes(deletes: IdRanges, maxBytes: number): Uint8Array[] {
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
      const maxRanges = Math.max(1, Math.floor((maxBytes - size - DELETED_CLIENT_BYTES) / DELETED_RANGE_BYTES))
      const part = ranges.slice(i, i + 2 * maxRanges)
      piece.set(client, part)
      size += DELETED_CLIENT_BYTES + (part.length / 2) * DELETED_RANGE_BYTES
      i += part.length
    }
  }
  if (piece.size > 0) flush()
  return pieces
}
