import type { Steps } from '../common/turns.ts'
import { KnownState } from '../protocol/update/update.ts'
import type { StoredDocument } from '../storage/storage.ts'
import { inGroups } from './byte-groups.ts'
import { trimEntry } from './edits.ts'
import { Joining } from './joining.ts'
import { EncodedPiece, MergedPiece, type Piece } from './piece.ts'
import { LoadedSnapshot } from './snapshot.ts'

/**
 * The committed content of one document in memory: the snapshot (evictable) and the entries after it. Every prefix is a
 * complete document, so merging entries is copying.
 */
export class DocumentLog {
  /** What is sent to those who join. */
  readonly joining: Joining
  readonly #pieceBytes: number
  #snapshot: LoadedSnapshot | null
  /** Still there where somebody is being sent it: a copy for each who asks would be as much as they like. */
  #evicted: WeakRef<LoadedSnapshot> | undefined
  #snapshotSeq: number
  #snapshotBytes: number
  /** Oldest first, up to `head`; they begin at the snapshot or before it. */
  #entries: EncodedPiece[]
  #head: number
  #tailBytes: number

  /** @param pieceBytes how much is merged into one frame, at most */
  constructor(stored: StoredDocument, pieceBytes: number) {
    this.joining = new Joining(pieceBytes)
    this.#pieceBytes = pieceBytes
    this.#snapshot = stored.snapshot && new LoadedSnapshot(stored.snapshot)
    this.#snapshotSeq = this.#snapshot?.seq ?? 0
    this.#snapshotBytes = this.#snapshot?.byteLength ?? 0
    this.#entries = stored.tail.map((entry) => new EncodedPiece(entry.update, entry.seq))
    this.#head = stored.head
    this.#tailBytes = sumBytes(this.#entries)
  }

  /** The last sequence number. */
  get head(): number {
    return this.#head
  }

  /** Null where there is none, and where it was evicted and nobody is sent it (`snapshotSeq` is above 0 then). */
  get snapshot(): LoadedSnapshot | null {
    return this.#snapshot ?? this.#evicted?.deref() ?? null
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

  /** What it contains; what overlaps in its entries is cut off. To be asked first, while the snapshot is in memory. */
  *decodeState(): Steps<KnownState> {
    const known = this.#snapshot ? yield* this.#snapshot.decodeState() : new KnownState()
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
    this.#snapshot = snapshot
    this.#evicted = undefined
    this.#snapshotSeq = snapshot.seq
    this.#snapshotBytes = snapshot.byteLength
    this.#tailBytes = sumBytes(this.entriesAfter(snapshot.seq))
    this.joining.reset()
  }

  /** Puts back what `evict` dropped. */
  restore(snapshot: LoadedSnapshot): void {
    if (snapshot.seq === this.#snapshotSeq) this.#snapshot = snapshot
  }

  /** Drops the snapshot unless somebody is being sent it. */
  evict(): void {
    if (this.#snapshot) this.#evicted = new WeakRef(this.#snapshot)
    this.#snapshot = null
  }

  /** Takes back that it was evicted, where it is still there. */
  keep(): void {
    this.#snapshot = this.snapshot
  }
}

function merged(group: readonly EncodedPiece[]): Piece {
  return group.length === 1 && group[0] ? group[0] : new MergedPiece(group, group.at(-1)?.position)
}

function sumBytes(pieces: readonly EncodedPiece[]): number {
  return pieces.reduce((sum, piece) => sum + piece.byteLength, 0)
}
