import type { Steps } from '../common/turns.ts'
import {
  type Clocks,
  coversStateVector,
  type IdRanges,
  KnownState,
  readInParts,
  scanUpdate,
  splitUpdate,
} from '../protocol/update/update.ts'
import type { Snapshot } from '../storage/storage.ts'
import { EncodedPiece, type Piece } from './piece.ts'

/** Keeps its whole snapshot in memory, so that whoever asks for it next shares it instead of having it read back. */
class SnapshotChunk extends EncodedPiece {
  readonly snapshot: LoadedSnapshot

  constructor(update: Uint8Array, position: number | undefined, snapshot: LoadedSnapshot) {
    super(update, position)
    this.snapshot = snapshot
  }
}

/** A snapshot in memory: its chunks as they are sent, and what is derived from them when it is first asked for. */
export class LoadedSnapshot {
  readonly seq: number
  readonly chunks: readonly Piece[]
  readonly byteLength: number
  readonly stateVector: Uint8Array
  readonly deleteSet: Uint8Array
  readonly #pieceBytes: number
  #deletes: readonly Piece[] | undefined

  constructor(snapshot: Snapshot, pieceBytes: number) {
    const { stateVector, deleteSet } = describe(snapshot)
    const last = snapshot.chunks.length - 1
    this.seq = snapshot.seq
    this.chunks = snapshot.chunks.map(
      (chunk, index) => new SnapshotChunk(chunk, index === last ? snapshot.seq : undefined, this),
    )
    this.byteLength = snapshot.chunks.reduce((sum, chunk) => sum + chunk.length, 0)
    this.stateVector = stateVector
    this.deleteSet = deleteSet
    this.#pieceBytes = pieceBytes
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
  deletions(): Iterable<IdRanges> {
    return readInParts(this.deleteSet)
  }

  /** The delete set as updates without structs, for a client that has the structs already. */
  get deletes(): readonly Piece[] {
    this.#deletes ??= splitUpdate(withoutStructs(this.deleteSet), this.#pieceBytes).map(
      (update) => new EncodedPiece(update, undefined),
    )
    return this.#deletes
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

function withoutStructs(deleteSet: Uint8Array): Uint8Array {
  const update = new Uint8Array(1 + deleteSet.length)
  update.set(deleteSet, 1)
  return update
}
