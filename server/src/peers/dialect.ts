import type { Flush } from '../document/subscriber.ts'
import type { PresenceEntry } from '../protocol/wire/awareness.ts'
import type { ClientMessage, Refusal } from '../protocol/wire/messages.ts'

/**
 * How one kind of client says what the core hands out and takes in. What it returns are complete WebSocket frames, or their
 * parts in a row. Of a
 * flush, and of presence that many are shown, each is made once and shared.
 */
export interface Dialect {
  /**
   * Whether the peer counts what it has sent, from each of its Step1s on: it is asked for what it has then, be it allowed
   * to write or not, and told of each message one by one.
   */
  readonly countsEach: boolean
  /** Whether a first message is none of this kind of client, but of another one that has another address. */
  isForeign(bytes: Uint8Array): boolean
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
  /** @param before what was acknowledged already */
  acknowledgement(count: number, before: number): Buffer
  /** Tells a peer that counts each message that one was not taken. */
  readonly notTaken: Buffer | undefined
  permissionDenied(reason: string): Buffer | undefined
  /** The name of this server, for clients of `coedit.v1`. */
  node(name: string): Buffer | undefined
  /**
   * Tells a client what is refused, if its kind can be told.
   * @param reason for those whose clients can only log it
   * @param isOwn whether the peer speaks `coedit.v1`
   */
  refused(what: Refusal, reason: string, isOwn: boolean): Buffer | undefined
}

export interface FlushFrames {
  readonly updates: readonly Uint8Array[]
  /** The updates and the presence that changed, where any did. */
  readonly whole: readonly Uint8Array[]
}
