import { holdBack, mergeEntries } from '../protocol/update/update.ts'

/** A part of a document on its way to the cursors: a log entry, several merged, or a chunk of the snapshot. */
export interface Piece {
  readonly update: Uint8Array
  /** Where a cursor stands that has taken this piece; undefined where others must follow. */
  readonly position: number | undefined
  /**
   * Pays back the bytes that were lent to make the piece for one reader; a piece that is shared has no such method. To be
   * called once, when that reader has been sent it or is gone.
   */
  readonly letGo?: () => void
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

/** Updates in a row as one, which is made when it is first sent: making many at once would hold up others. */
export class MergedPiece implements Piece {
  readonly position: number | undefined
  #entries: readonly Pick<Piece, 'update'>[]
  #update: Uint8Array | undefined

  constructor(entries: readonly Pick<Piece, 'update'>[], position: number | undefined) {
    this.#entries = entries
    this.position = position
  }

  get update(): Uint8Array {
    this.#update ??= mergeEntries(this.#entries.map((entry) => entry.update))
    this.#entries = []
    return this.#update
  }
}

/** Updates in a row without what is held back of them, made when it is first sent. */
export class HeldBackPiece implements Piece {
  readonly position = undefined
  #updates: readonly Pick<Piece, 'update'>[]
  #made: { readonly rest: Uint8Array; readonly held: Uint8Array } | undefined

  constructor(updates: readonly Pick<Piece, 'update'>[]) {
    this.#updates = updates
  }

  get update(): Uint8Array {
    return this.#make().rest
  }

  /** What is held back. */
  get held(): Pick<Piece, 'update'> {
    const heldBack = () => this.#make().held
    return {
      get update() {
        return heldBack()
      },
    }
  }

  #make(): { readonly rest: Uint8Array; readonly held: Uint8Array } {
    if (this.#made) return this.#made
    const merged = mergeEntries(this.#updates.map(({ update }) => update))
    const { pieces, held } = holdBack(merged, Number.POSITIVE_INFINITY)
    this.#made = { rest: pieces[0] ?? mergeEntries([]), held }
    this.#updates = []
    return this.#made
  }
}
