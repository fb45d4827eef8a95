import type { Document } from '../document/document.ts'
import type { Documents } from '../document/documents.ts'
import type { Chunked, Piece } from '../document/piece.ts'
import type { Reading } from '../document/reading.ts'
import type { Flush, Subscriber } from '../document/subscriber.ts'
import { EMPTY_STEP2_FRAME } from '../protocol/wire/frames.ts'
import type { FrameWriter } from './frame-writer.ts'
import type { Throttle } from './throttle.ts'

/** Where the peer is in the log. */
type Cursor =
  /** No Step1 came yet: it is sent nothing. */
  | { readonly state: 'waiting' }
  /** What to send next is being read. */
  | { readonly state: 'reading' }
  /** Pieces are being sent as fast as the peer takes them; it stands at `position` when all are. */
  | { readonly state: 'sending'; readonly pieces: Piece[]; readonly goal: Goal }
  /** It has everything up to `position`. */
  | { readonly state: 'following'; readonly position: number }
  /** It has gone. */
  | { readonly state: 'closed' }

interface Goal {
  readonly position: number
  /** Whether this answers a Step1 and ends with a Step2. */
  readonly isAnswer: boolean
}

export interface OutletContext {
  readonly document: Document
  readonly documents: Documents
  readonly writer: FrameWriter
  readonly throttle: Throttle
  /** Who it writes for, to know its own edits by. */
  readonly self: Subscriber
  /** Whether a peer that edits alone is sent its own edits, too. */
  readonly echo: boolean
  /** Called when what to send could not be read. */
  onError(error: unknown): void
}

/**
 * The way out to one peer: a cursor in the log and one in the presence, and no queue. A peer that reads slowly stays
 * behind; when it has read, it gets what it missed merged into few frames.
 */
export class Outlet {
  readonly #context: OutletContext
  #cursor: Cursor = { state: 'waiting' }
  #presenceVersion = 0
  /** A Step1 that came while another was being answered; only the last one matters. */
  #nextStep1: Uint8Array | undefined

  constructor(context: OutletContext) {
    this.#context = context
  }

  /** The log position that the peer has reached or is being brought to; undefined before its first Step1. */
  get position(): number | undefined {
    const cursor = this.#cursor
    if (cursor.state === 'following') return cursor.position
    return cursor.state === 'sending' ? cursor.goal.position : undefined
  }

  /** The snapshot that the peer is being sent. Chunks of it come before all else. */
  get snapshot(): Chunked | undefined {
    const cursor = this.#cursor
    return cursor.state === 'sending' ? cursor.pieces[0]?.snapshot : undefined
  }

  /** Answers a Step1: what the peer lacks as Updates, then an empty Step2. The cursor starts when that is written. */
  answer(stateVector: Uint8Array): void {
    if (this.#cursor.state === 'reading' || this.#cursor.state === 'sending') {
      this.#nextStep1 = stateVector
      return
    }
    const { document, documents } = this.#context
    this.#read(documents.readDifference(document, stateVector, this.position), true)
  }

  /** Shows the peer who is here. */
  showPresence(): void {
    const { presence } = this.#context.document
    const frame = presence.since(0)
    this.#presenceVersion = presence.version
    if (frame) this.#context.writer.write(frame)
  }

  /**
   * Sends what a flush brings, if the peer stands right before it and has room.
   * @param last a frame for this peer alone that follows in the same write
   */
  deliver(flush: Flush, last: Buffer | undefined): void {
    const takesPieces = this.#follow(flush)
    const presence = this.#takePresence(flush)
    const frames: Buffer[] = []
    if (takesPieces && presence === flush.presence?.frame) frames.push(flush.whole)
    else {
      if (takesPieces) frames.push(...flush.pieces.map((piece) => piece.frame))
      if (presence) frames.push(presence)
    }
    if (last) frames.push(last)
    this.#context.writer.writeAll(frames)
  }

  /** Goes on where the peer had no room. */
  resume(): void {
    if (this.#cursor.state === 'sending') this.#send(this.#cursor)
    this.#catchUp()
  }

  /** Nothing is sent any more. */
  close(): void {
    const cursor = this.#cursor
    this.#cursor = { state: 'closed' }
    this.#nextStep1 = undefined
    if (cursor.state === 'sending') letGo(cursor.pieces)
  }

  /** Moves the cursor over the flush; tells whether the peer must be sent its pieces. */
  #follow(flush: Flush): boolean {
    const cursor = this.#cursor
    if (cursor.state !== 'following' || cursor.position !== flush.after || flush.pieces.length === 0) return false
    this.#cursor = { state: 'following', position: flush.head }
    return flush.author !== this.#context.self || this.#context.echo
  }

  #takePresence({ presence }: Flush): Buffer | undefined {
    if (!presence) return undefined
    const missed = presence.after > this.#presenceVersion
    const frame = missed ? this.#context.document.presence.since(this.#presenceVersion) : presence.frame
    this.#presenceVersion = presence.version
    return frame ?? undefined
  }

  #read(reading: Promise<Reading>, isAnswer: boolean): void {
    this.#cursor = { state: 'reading' }
    reading.then(({ pieces, position, searchedBytes }) => {
      // To search them costs about what receiving them does.
      this.#context.throttle.received(searchedBytes)
      if (this.#cursor.state === 'closed') letGo(pieces)
      else this.#send({ state: 'sending', pieces, goal: { position, isAnswer } })
    }, this.#context.onError)
  }

  #send(sending: Extract<Cursor, { state: 'sending' }>): void {
    const { writer } = this.#context
    this.#cursor = sending
    writer.together(() => {
      const next = () => (writer.hasRoom ? sending.pieces.shift() : undefined)
      for (let piece = next(); piece; piece = next()) writer.write(piece.frame, piece.letGo?.bind(piece))
      if (sending.pieces.length > 0) return
      if (sending.goal.isAnswer) writer.write(EMPTY_STEP2_FRAME)
      this.#cursor = { state: 'following', position: sending.goal.position }
    })
    this.#catchUp()
  }

  #catchUp(): void {
    const { document, documents, writer } = this.#context
    if (this.#cursor.state !== 'following' || !writer.hasRoom) return
    const { position } = this.#cursor
    const step1 = this.#nextStep1
    this.#nextStep1 = undefined
    if (step1) this.answer(step1)
    else if (position < document.head) this.#read(documents.readSince(document, position), false)
    this.#catchUpPresence()
  }

  #catchUpPresence(): void {
    const { document, writer } = this.#context
    const frame = document.presence.since(this.#presenceVersion)
    this.#presenceVersion = document.presence.version
    if (frame) writer.write(frame)
  }
}

function letGo(pieces: readonly Piece[]): void {
  for (const piece of pieces) piece.letGo?.()
}
