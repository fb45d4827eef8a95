import type { Flush } from '../document/subscriber.ts'
import type { PresenceEntry } from '../protocol/wire/awareness.ts'
import type { ClientMessage, Refusal } from '../protocol/wire/messages.ts'

/**
 * How one kind of client says what the core hands out and takes in. What it returns are complete WebSocket frames. Of a
 * flush, and of presence that many are shown, each is made once and shared.
 */
export interface Dialect {
  /**
   * Reads the one message of a frame.
   * @param isOwn whether the peer speaks `coedit.v1`
   * @throws CoeditError MESSAGE_MALFORMED
   */
  decode(bytes: Uint8Array, isOwn: boolean): ClientMessage
  /** What a flush brings: its updates, or with the presence in it all in one. */
  flush(flush: Flush): FlushFrames
  /** What comes before the bytes of an update, so that both together are a frame: the update itself is not copied. */
  updateHead(byteLength: number): Buffer
  /** Undefined where there are no entries. */
  presence(entries: readonly PresenceEntry[]): Buffer | undefined
  /** The same without some ids, as the parts of one frame; of none where nobody is left. */
  presenceWithout(entries: readonly PresenceEntry[], clientIds: ReadonlySet<number>): readonly Uint8Array[]
  step1(stateVector: Uint8Array): Buffer
  /** Follows the updates that answer a Step1. */
  readonly endOfAnswer: Buffer
  readonly keepAlive: Buffer
  acknowledgement(count: number): Buffer
  permissionDenied(reason: string): Buffer
  /** The name of this server, for clients of `coedit.v1`. */
  node(name: string): Buffer
  /**
   * Tells a client what is refused.
   * @param reason for those whose clients can only log it
   * @param isOwn whether the peer speaks `coedit.v1`
   */
  refused(what: Refusal, reason: string, isOwn: boolean): Buffer
}

export interface FlushFrames {
  readonly updates: Buffer
  /** The updates and the presence that changed, where any did. */
  readonly whole: Buffer
}
