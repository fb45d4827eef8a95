import { holdBack, joinPieceBytes, mergeEntries } from '../protocol/update/update.ts'
import { inGroups } from './byte-groups.ts'
import { EncodedPiece, HeldBackPiece, MergedPiece, type Piece } from './piece.ts'
import type { LoadedSnapshot } from './snapshot.ts'

/** A document up to a position of its log. */
export interface Content {
  readonly snapshot: LoadedSnapshot | null
  /** Those after the snapshot. */
  readonly entries: readonly EncodedPiece[]
  readonly head: number
}

/** Updates in a row without what is held back of them. */
interface Part {
  readonly pieces: readonly Piece[]
  readonly held: Pick<Piece, 'update'>
}

/** What was made last for those who join. */
interface Made {
  readonly seq: number
  readonly head: number
  readonly pieces: readonly Piece[]
}

/**
 * What a client is sent that joins a document. It sees all of it in one transaction, and a slow line carries each piece:
 * so all pieces build on the last one. Those who join at the same position share them.
 */
export class Joining {
  readonly #minBytes: number
  #parts: ReadonlyMap<string, Part> = new Map()
  #whole: Made | undefined
  #news: Made | undefined

  /** @param minBytes up to which everything is one piece */
  constructor(minBytes: number) {
    this.#minBytes = minBytes
  }

  /** All of the document. */
  whole(content: Content): readonly Piece[] {
    const { snapshot, entries } = content
    const all = [...(snapshot?.chunks ?? []), ...entries]
    // Of the snapshot alone, so that another entry changes no piece but the last ones.
    const maxBytes = joinPieceBytes(snapshot?.byteLength ?? 0, this.#minBytes)
    if (sumBytes(all) > maxBytes) {
      this.#whole = madeFor(content, this.#whole, () => this.#build(content, maxBytes))
      return [...(snapshot?.parted ?? []), ...this.#whole.pieces]
    }
    if (all.length <= 1) return all
    this.#whole = madeFor(content, this.#whole, () => [new MergedPiece(all, content.head)])
    return this.#whole.pieces
  }

  /** What somebody may lack who has the structs of the snapshot; undefined where that is more than one piece. */
  news(content: Content): readonly Piece[] | undefined {
    const { snapshot, entries, head } = content
    const deletions = snapshot?.deletions
    if (sumBytes(entries) + (deletions?.length ?? 0) > this.#minBytes) return undefined
    const updates = [...(deletions ? [{ update: deletions }] : []), ...entries]
    if (updates.length === 0) return []
    this.#news = madeFor(content, this.#news, () => [new MergedPiece(updates, head)])
    return this.#news.pieces
  }

  /** The document goes on with another snapshot. */
  reset(): void {
    this.#parts = new Map()
    this.#whole = undefined
    this.#news = undefined
  }

  /** What follows those pieces that lie in the snapshot. */
  #build({ snapshot, entries, head }: Content, maxBytes: number): readonly Piece[] {
    const groups = [
      ...(snapshot?.unparted ?? []).map((chunk) => [chunk]),
      ...inGroups(entries, ({ byteLength }) => byteLength, maxBytes),
    ]
    const named = groups.map((group, index) => [nameOf(group, index), group] as const)
    this.#parts = new Map(named.map(([name, group]) => [name, this.#parts.get(name) ?? partOf(group, maxBytes)]))
    const parts = [...this.#parts.values()]
    const held = [...(snapshot?.held ?? []), ...parts.map((part) => part.held)]
    return [...parts.flatMap(({ pieces }) => pieces), new MergedPiece(held, head)]
  }
}

function madeFor({ snapshot, head }: Content, last: Made | undefined, make: () => readonly Piece[]): Made {
  const seq = snapshot?.seq ?? 0
  return last?.head === head && last.seq === seq ? last : { seq, head, pieces: make() }
}

function partOf(group: readonly EncodedPiece[], maxBytes: number): Part {
  if (sumBytes(group) > maxBytes) {
    const { pieces, held } = holdBack(mergeEntries(group.map(({ update }) => update)), maxBytes)
    return { pieces: pieces.map((piece) => new EncodedPiece(piece, undefined)), held: { update: held } }
  }
  const piece = new HeldBackPiece(group)
  return { pieces: [piece], held: piece.held }
}

function nameOf(group: readonly EncodedPiece[], index: number): string {
  return `${group[0]?.position ?? `chunk ${index}`}-${group.at(-1)?.position}`
}

function sumBytes(pieces: readonly EncodedPiece[]): number {
  return pieces.reduce((sum, { byteLength }) => sum + byteLength, 0)
}
