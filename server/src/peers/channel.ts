import type { Clock } from '../common/timing.ts'
import type { Close } from './close-codes.ts'
import type { FrameWriter } from './frame-writer.ts'
import type { Throttle } from './throttle.ts'

/** Who takes what a channel brings. */
export interface ChannelUser {
  /** Whether so much of what it has taken is unfinished that nothing more should be read. */
  readonly isCongested: boolean
  /** Takes a message. Where it gives a promise, the next message waits for that. Neither throws nor rejects. */
  receive(message: Uint8Array): Promise<void> | undefined
  /** The buffer takes frames again. */
  drained(): void
  /** The peer takes no more part: nothing can be written. What it sent before may still be received. */
  left(): void
  /** It has left, and all that it had sent was received. */
  emptied(): void
}

/** What carries one session: a WebSocket of its own, or a part of one that many documents share. */
export interface Channel {
  readonly throttle: Throttle
  readonly writer: FrameWriter
  readonly hasLeft: boolean
  /** When the peer sent something, or took what it was sent, in milliseconds of the clock. */
  readonly lastHeardAt: number
  /** Begins to read. The first message is received once `ready` has resolved. */
  start(user: ChannelUser, ready: Promise<void>): void
  /** Tells what the peer may do: when it has joined, before anything else is written, and when that changes. */
  greet(access: 'read' | 'write'): void
  /** Sends a frame, or drops it where the buffer is full, as if it had been lost on the way. */
  offer(frame: Buffer | undefined): void
  /** Whether the peer answers a ping. */
  isAlive(): Promise<boolean>
  /**
   * Keeps the connection alive and ends it when the peer is not; to be called about once a second.
   * @param keepAlive a frame that means nothing; undefined where none may be sent yet
   */
  tick(now: number, keepAlive: Buffer | undefined): void
  /** Reads on only while what was read can be worked on. To be called when its user may no longer be congested. */
  updateFlow(): void
  /** Ends it for a reason that holds for all that the connection carries. */
  close(close: Close): void
  /** Ends it for what its peer did, or since it cannot be served, and drops what the peer sent before. */
  refuse(close: Close): void
  /** Calls `action` when the time has come, unless the channel has ended before. */
  later(clock: Clock, delayMs: number, action: () => void): void
}
