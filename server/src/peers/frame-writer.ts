import type { Duplex } from 'node:stream'
import type { Clock } from '../common/timing.ts'

/** So many bytes are copied into one buffer in less time than the system takes to gather them from several. */
const MAX_JOINED_BYTES = 4096

/** The writing half of a socket: whole frames, as far as the buffer takes them. */
export class FrameWriter {
  readonly #socket: Duplex
  readonly #maxBufferedBytes: number
  readonly #clock: Clock
  #lastWriteAt: number
  #blockedSince: number | undefined
  #isClosed = false

  /**
   * @param maxBufferedBytes unsent bytes past which no more frames are taken
   * @param onDrain called when frames are taken again
   */
  constructor(socket: Duplex, maxBufferedBytes: number, clock: Clock, onDrain: () => void) {
    this.#socket = socket
    this.#maxBufferedBytes = maxBufferedBytes
    this.#clock = clock
    this.#lastWriteAt = clock.now()
    // The next frames go out in a turn of their own: a peer that reads fast would be sent all that there is in this one.
    socket.on('drain', () => setImmediate(() => this.#drained(onDrain)))
  }

  /** Whether the peer takes what it is sent. */
  get isWritable(): boolean {
    return this.#blockedSince === undefined
  }

  /** Since when the buffer has been full, in milliseconds of the clock. */
  get blockedSince(): number | undefined {
    return this.#blockedSince
  }

  get lastWriteAt(): number {
    return this.#lastWriteAt
  }

  /** @param onGone called when the frame is no longer held: it has left, or never will */
  write(frame: Uint8Array, onGone?: () => void): void {
    if (this.#isClosed || !this.#socket.writable) {
      onGone?.()
      return
    }
    // A stream calls back for each write, with an error where it is destroyed before.
    this.#socket.write(frame, onGone)
    this.#lastWriteAt = this.#clock.now()
    if (this.#socket.writableLength > this.#maxBufferedBytes) this.#blockedSince ??= this.#lastWriteAt
  }

  /** Writes frames that leave in one system call. */
  writeAll(frames: readonly Uint8Array[]): void {
    const [first] = frames
    if (frames.length <= 1) {
      if (first) this.write(first)
      return
    }
    const byteLength = frames.reduce((sum, { length }) => sum + length, 0)
    if (byteLength <= MAX_JOINED_BYTES) {
      this.write(Buffer.concat(frames, byteLength))
      return
    }
    this.together(() => {
      for (const frame of frames) this.write(frame)
    })
  }

  /** Has all frames that `action` writes leave in one system call. */
  together(action: () => void): void {
    this.#socket.cork()
    try {
      action()
    } finally {
      this.#socket.uncork()
    }
  }

  /** Nothing is written any more: a close frame must be the last. */
  close(): void {
    this.#isClosed = true
  }

  #drained(onDrain: () => void): void {
    this.#blockedSince = undefined
    onDrain()
  }
}
