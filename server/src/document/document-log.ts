import type { Steps } from '../common/turns.ts'
import { KnownState, trimEntry } from '../protocol/update/update.ts'
import type { StoredDocument } from '../storage/document-store.ts'
import { inGroups } from './byte-groups.ts'
import { Joining } from './joining.ts'
import { EncodedPiece, MergedPiece, type Piece } from './piece.ts'
import type { LoadedSnapshot } from './snapshot.ts'

/**
 * The committed content of one document: the entries in memory, and which snapshot they follow; `Snapshots` has that one.
 * Every prefix is a complete document, so merging entries is copying.
 */
export class DocumentLog {
  /** What is sent to those who join. */
  readonly joining: Joining
  readonly #pieceBytes: number
  #snapshotSeq: number
  #snapshotBytes: number
  /** Oldest first, up to `head`; they begin at the snapshot or before it. */
  #entries: EncodedPiece[]
  #head: number
  #tailBytes: number

  /**
   * @param snapshot the stored one
   * @param pieceBytes how much is merged into one frame, at most
   */
  constructor(stored: Pick<StoredDocument, 'head' | 'tail'>, snapshot: LoadedSnapshot | null, pieceBytes: number) {
    this.joining = new Joining(pieceBytes)
    this.#pieceBytes = pieceBytes
    this.#snapshotSeq = snapshot?.seq ?? 0
    this.#snapshotBytes = snapshot?.byteLength ?? 0
    this.#entries = stored.tail.map((entry) => new EncodedPiece(entry.update, entry.seq))
    this.#head = stored.head
    this.#tailBytes = sumBytes(this.#entries)
  }

  /** The last sequence number. */
  get head(): number {
    return this.#head
  }

  /** 0 where there is no snapshot. */
  get snapshotSeq(): number {
    return this.#snapshotSeq
  }

  get snapshotBytes(): number {
    return this.#snapshotBytes
  }

  /** Bytes of the entries after the snapshot. */
  get tailBytes(): number {
    return this.#tailBytes
  }

  get tailEntries(): number {
    return this.#head - this.#snapshotSeq
  }

  /** What it and its snapshot contain; what overlaps in its entries is cut off. To be asked first. */
  *decodeState(snapshot: LoadedSnapshot | null): Steps<KnownState> {
    const known = snapshot ? yield* snapshot.decodeState() : new KnownState()
    for (const [index, { update, position }] of this.#entries.entries()) {
      const trimmed = trimEntry(update, known)
      if (trimmed !== update) this.#entries[index] = new EncodedPiece(trimmed, position)
      yield
    }
    return known
  }

  push(piece: EncodedPiece): void {
    this.#entries.push(piece)
    this.#head++
    this.#tailBytes += piece.byteLength
  }

  /** Whether the entries after `position` are all in memory. */
  reaches(position: number): boolean {
    return position >= this.#head - this.#entries.length
  }

  /** The entries after `position`, one piece each. Only where the log `reaches` back to it. */
  entriesAfter(position: number): readonly EncodedPiece[] {
    return this.#entries.slice(this.#entries.length - (this.#head - position))
  }

  /** The entries after `position`, merged into few pieces. Only where the log `reaches` back to it. */
  after(position: number): readonly Piece[] {
    return inGroups(this.entriesAfter(position), ({ byteLength }) => byteLength, this.#pieceBytes).map(merged)
  }

  /**
   * Goes on with a newer snapshot. Entries that it covers stay for the cursors that still stand before it, as far back
   * as the previous snapshot.
   * @param slowest the lowest position that a cursor holds
   */
  replaceSnapshot(snapshot: LoadedSnapshot, slowest: number): void {
    const floor = Math.min(snapshot.seq, Math.max(slowest, this.#snapshotSeq))
    if (this.reaches(floor)) this.#entries = [...this.entriesAfter(floor)]
    this.#snapshotSeq = snapshot.seq
    this.#snapshotBytes = snapshot.byteLength
    this.#tailBytes = sumBytes(this.entriesAfter(snapshot.seq))
    this.joining.reset()
  }
}

function merged(group: readonly EncodedPiece[]): Piece {
  return group.length === 1 && group[0] ? group[0] : new MergedPiece(group, group.at(-1)?.position)
}

function sumBytes(pieces: readonly EncodedPiece[]): number {
  return pieces.reduce((sum, piece) => sum + piece.byteLength, 0)
}
