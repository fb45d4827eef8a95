import type { Cursor } from '../document/cursor.ts'
import type { Participant } from '../document/participant.ts'
import type { Author, Flush } from '../document/subscriber.ts'
import type { PresenceEntry } from '../protocol/wire/awareness.ts'
import type { Channel } from './channel.ts'
import type { Dialect } from './dialect.ts'

/** Whom it writes for: its own edits, and its own presence, are known by it. */
export interface Recipient extends Author, Participant {
  /** What is to be sent could not be read. */
  readFailed(error: unknown): void
}

export interface OutletContext {
  readonly cursor: Cursor
  readonly dialect: Dialect
  readonly socket: Channel
  readonly recipient: Recipient
  /** Whether a peer that edits alone is sent its own edits, too. */
  readonly echo: boolean
}

/**
 * The way out to one peer. At the head of the log it is sent each flush; a peer that reads slowly stays behind, and when
 * it has read, it is sent what it missed merged into few frames. Before its first Step1 it is sent nothing.
 */
export class Outlet {
  readonly #context: OutletContext
  /** Whether the pieces on their way answer a Step1 and end with a Step2. */
  #isAnswering = false
  /** A Step1 that came while others were on their way; only the last one matters. */
  #nextStep1: Uint8Array | undefined
  /** Whether the peer is owed all others' presence, for which the buffer was full. */
  #owesOthers = false

  constructor(context: OutletContext) {
    this.#context = context
  }

  /** Answers a Step1: what the peer lacks as Updates, then an empty Step2. */
  answer(stateVector: Uint8Array): void {
    const { cursor } = this.#context
    if (cursor.isBusy) {
      this.#nextStep1 = stateVector
      return
    }
    this.#nextStep1 = undefined
    this.#isAnswering = true
    this.#send(cursor.answer(stateVector))
  }

  /** Shows the peer who is here. */
  showPresence(): void {
    const { cursor, dialect, socket } = this.#context
    socket.offer(dialect.presence(cursor.wholePresence()))
  }

  /** Shows a peer that may have been here before who else is here. */
  showOthers(): void {
    const { cursor, dialect, socket, recipient } = this.#context
    this.#owesOthers = !socket.writer.isWritable
    if (!this.#owesOthers) socket.offer(dialect.presence(cursor.document.presence.others(recipient)))
  }

  /**
   * Sends what a flush brings, if the peer stands right before it.
   * @param last a frame for this peer alone that follows in the same write
   */
  deliver(flush: Flush, last: Buffer | undefined): void {
    const { cursor, dialect, socket, recipient, echo } = this.#context
    const takesUpdates = cursor.follow(flush) && (flush.author !== recipient || echo)
    const entries = flush.presence ? cursor.newPresence(flush.presence) : undefined
    const isWhole = entries === flush.presence?.entries && !this.#isOutpaced(flush)
    const frames: Uint8Array[] = []
    if (takesUpdates && isWhole) frames.push(...dialect.flush(flush).whole)
    else {
      if (takesUpdates) frames.push(...dialect.flush(flush).updates)
      if (entries) frames.push(...this.#presenceFrames(entries, flush))
    }
    if (last) frames.push(last)
    socket.writer.writeAll(frames)
  }

  /** Goes on sending when the socket has drained. */
  resume(): void {
    const { cursor, dialect, socket } = this.#context
    const { writer } = socket
    writer.together(() => {
      const next = () => (writer.isWritable ? cursor.next() : undefined)
      for (let piece = next(); piece; piece = next()) {
        writer.write(dialect.updateHead(piece.update.length))
        writer.write(piece.update, piece.letGo)
      }
      if (cursor.isBusy || !this.#isAnswering) return
      this.#isAnswering = false
      writer.write(dialect.endOfAnswer)
    })
    this.#catchUp()
  }

  /** Sends what a reading brings, as far as the buffer takes it. */
  #send(reading: Promise<number>): void {
    const { socket, recipient } = this.#context
    reading.then(
      (searchedBytes) => {
        // Searching bytes costs about as much as receiving them.
        socket.throttle.received(searchedBytes)
        this.resume()
      },
      (error: unknown) => recipient.readFailed(error),
    )
  }

  /** The presence that a flush brings: an owner that counts lower itself must not be shown what is its own. */
  #presenceFrames(entries: readonly PresenceEntry[], flush: Flush): readonly Uint8Array[] {
    const { cursor, dialect, recipient } = this.#context
    const isShared = entries === flush.presence?.entries
    if (isShared && this.#isOutpaced(flush)) {
      return dialect.presenceWithout(entries, cursor.document.presence.idsOf(recipient))
    }
    const frame = dialect.presence(entries)
    return frame ? [frame] : []
  }

  #isOutpaced({ presence }: Flush): boolean {
    return presence?.outpaced.has(this.#context.recipient) ?? false
  }

  #catchUp(): void {
    const { cursor, dialect, socket } = this.#context
    if (cursor.isBusy || cursor.position === undefined || !socket.writer.isWritable) return
    if (this.#nextStep1) this.answer(this.#nextStep1)
    else if (cursor.isBehind) this.#send(cursor.read())
    if (this.#owesOthers) this.showOthers()
    socket.offer(dialect.presence(cursor.newPresence()))
  }
}
