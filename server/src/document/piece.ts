import { mergeEntries } from '../protocol/update/update.ts'
import type { Loan } from './private-bytes.ts'

/** A part of a document on its way to the cursors: a log entry, several merged, or a chunk of the snapshot. */
export interface Piece {
  readonly update: Uint8Array
  /** Where a cursor stands that has taken this piece; undefined for a snapshot chunk that others must follow. */
  readonly position: number | undefined
  /** What it is a chunk of, and keeps in memory; undefined for all else. */
  readonly snapshot?: Chunked
  /** There where it is made for one reader: that one has been sent it or is gone. To be called once. */
  letGo?(): void
}

/** A snapshot, as those see it who are sent it. */
export interface Chunked {
  readonly chunks: readonly Piece[]
}

/** A piece that is there as it is sent. */
export class EncodedPiece implements Piece {
  readonly update: Uint8Array
  readonly position: number | undefined

  constructor(update: Uint8Array, position: number | undefined) {
    this.update = update
    this.position = position
  }

  get byteLength(): number {
    return this.update.length
  }
}

/** A piece for one reader alone, made in room that was borrowed for it. */
export class PrivatePiece extends EncodedPiece {
  readonly #loan: Loan

  constructor(update: Uint8Array, loan: Loan) {
    super(update, undefined)
    this.#loan = loan
  }

  letGo(): void {
    this.#loan.repay(this.byteLength)
  }
}

/** Log entries in a row as one update, which is made when it is first sent: making many at once would hold up others. */
export class MergedPiece implements Piece {
  readonly position: number | undefined
  #entries: readonly Piece[]
  #update: Uint8Array | undefined

  constructor(entries: readonly Piece[]) {
    this.#entries = entries
    this.position = entries.at(-1)?.position
  }

  get update(): Uint8Array {
    this.#update ??= mergeEntries(this.#entries.map((entry) => entry.update))
    this.#entries = []
    return this.#update
  }
}
