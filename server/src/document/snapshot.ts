import type { Steps } from '../common/turns.ts'
import {
  type Clocks,
  coversStateVector,
  type IdRanges,
  isParted,
  KnownState,
  readInParts,
  scanUpdate,
} from '../protocol/update/update.ts'
import type { Snapshot } from '../storage/document-store.ts'
import { EncodedPiece } from './piece.ts'

/** A snapshot in memory: its chunks as they are sent, and what is derived from them when it is first asked for. */
export class LoadedSnapshot {
  readonly seq: number
  readonly chunks: readonly EncodedPiece[]
  readonly byteLength: number
  readonly stateVector: Uint8Array
  readonly deleteSet: Uint8Array
  readonly #isParted: boolean

  constructor(snapshot: Snapshot) {
    const { stateVector, deleteSet } = describe(snapshot)
    const { seq, chunks } = snapshot
    this.seq = seq
    this.#isParted = isParted(chunks)
    this.chunks = chunks.map((chunk) => new EncodedPiece(chunk, chunks.length === 1 ? seq : undefined))
    this.byteLength = snapshot.chunks.reduce((sum, chunk) => sum + chunk.length, 0)
    this.stateVector = stateVector
    this.deleteSet = deleteSet
  }

  /** Whether somebody with these clocks has all of its structs. */
  isCoveredBy(clocks: Clocks): boolean {
    return coversStateVector(clocks, this.stateVector)
  }

  /** What it contains. */
  decodeState(): Steps<KnownState> {
    return KnownState.decode(this.stateVector, this.deleteSet)
  }

  /** What of it is deleted, a part at a time. */
  deletedInParts(): Iterable<IdRanges> {
    return readInParts(this.deleteSet)
  }

  /** Chunks that build on `held`, to be sent as they are. */
  get parted(): readonly EncodedPiece[] {
    return this.#isParted ? this.chunks.slice(2) : []
  }

  /** Chunks of which nothing is held back yet: a small document, or one from before snapshots were parted. */
  get unparted(): readonly EncodedPiece[] {
    return this.#isParted ? [] : this.chunks
  }

  get held(): readonly EncodedPiece[] {
    return this.#isParted ? this.chunks.slice(1, 2) : []
  }

  /** The delete set as an update without structs; undefined where nothing is deleted. */
  get deletions(): Uint8Array | undefined {
    if (this.deleteSet.length <= 1) return undefined
    const update = new Uint8Array(1 + this.deleteSet.length)
    update.set(this.deleteSet, 1)
    return update
  }
}

/** After damage the stored description is missing and is read off what is left. */
function describe(snapshot: Snapshot): { stateVector: Uint8Array; deleteSet: Uint8Array } {
  if (snapshot.stateVector && snapshot.deleteSet) {
    return { stateVector: snapshot.stateVector, deleteSet: snapshot.deleteSet }
  }
  const known = new KnownState()
  for (const chunk of snapshot.chunks) known.absorb(scanUpdate(chunk))
  return { stateVector: known.encodeStateVector(), deleteSet: known.encodeDeleteSet() }
}
