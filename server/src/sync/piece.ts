import { updateFrame, updateInFrame } from '../protocol/frames.ts'

/**
 * A part of a document on its way to the cursors: one log entry, several merged, or a chunk of the snapshot. It holds
 * its WebSocket frame, made once for all sockets; the update is a view into it.
 */
export class Piece {
  readonly frame: Buffer
  readonly byteLength: number
  /** Where a cursor stands that has taken this piece; undefined for a snapshot chunk that others must follow. */
  readonly position: number | undefined

  constructor(update: Uint8Array, position: number | undefined) {
    this.frame = updateFrame(update)
    this.byteLength = update.length
    this.position = position
  }

  get update(): Uint8Array {
    return updateInFrame(this.frame, this.byteLength)
  }
}
