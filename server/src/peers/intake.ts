import { setImmediate as nextTurn } from 'node:timers/promises'
import { hasCode } from '../common/errors.ts'
import type { Document } from '../document/document.ts'
import type { Receipt } from '../document/edits.ts'
import type { Author } from '../document/subscriber.ts'
import { withoutTooDeep } from '../protocol/update/update.ts'
import type { ClientMessage, Refusal } from '../protocol/wire/messages.ts'
import type { WorkerPool } from '../workers/pool.ts'
import type { Acknowledgements } from './acknowledgements.ts'
import type { Dialect } from './dialect.ts'
import type { FrameWriter } from './frame-writer.ts'
import type { Throttle } from './throttle.ts'

/**
 * How much of an update is taken in one turn of the event loop. 256 KiB of the worst shape, a delete set of 46,000
 * clients, took 50 to 110 ms (measured).
 */
const MAX_TURN_BYTES = 64 * 1024

/** What became of a message with edits. */
interface SubmittedEdits extends Pick<Receipt, 'ticket' | 'complete' | 'isRefused'> {
  /** Its bytes, which may have been cut. */
  readonly parts: readonly Uint8Array[]
}

/** The messages that hold edits. */
export type EditMessage = Extract<ClientMessage, { type: 'step2' | 'update' }>

export function isEditMessage(message: ClientMessage): message is EditMessage {
  return message.type === 'step2' || message.type === 'update'
}

/** What carries the edits of a peer, and what it is told of them. */
export interface IntakeSocket {
  readonly throttle: Pick<Throttle, 'measure' | 'pause'>
  readonly writer: Pick<FrameWriter, 'isWritable' | 'write'>
}

export interface IntakeContext {
  readonly workers: WorkerPool
  readonly document: Document
  readonly dialect: Dialect
  readonly socket: IntakeSocket
  /** Whose edits they are. */
  readonly author: Author
  readonly access: 'read' | 'write'
  /** Whether the peer speaks `coedit.v1`. */
  readonly isOwn: boolean
  /** Undefined where durable messages are not acknowledged. */
  readonly acknowledgements: Acknowledgements | undefined
}

/** The way in from one peer: takes its edits, asks for those that are missing, and acknowledges what is durable. */
export class Intake {
  readonly #context: IntakeContext
  readonly #acknowledgements: Acknowledgements | undefined
  #access: 'read' | 'write'
  /** How far the server's Step1 is; it is owed while the buffer is full. */
  #step1: 'answered' | 'outstanding' | 'owed' = 'answered'
  #wasDenied = false
  /** Messages that were not taken and whose peer, which counts each, is still to be told so. */
  #notTaken = 0
  /** Whether the document was too full for something that the peer still holds. */
  #wasRefused = false

  constructor(context: IntakeContext) {
    this.#context = context
    this.#acknowledgements = context.acknowledgements
    this.#access = context.access
  }

  /** Asks the peer for what it has, if it may write. A client of ours is told at once if it may not. */
  begin(): void {
    if (this.#isAsked) this.#sendStep1()
    else if (this.#context.isOwn) this.#deny()
  }

  /** The peer said what it has. One that counts from there on is asked for the rest. */
  asked(stateVector: Uint8Array): void {
    this.#acknowledgements?.asked(stateVector)
    if (this.#context.dialect.countsEach && this.#step1 === 'answered') this.#sendStep1()
  }

  /** From now on the peer may do something else. What it wrote in vain is asked for, to be taken or refused anew. */
  changeAccess(access: 'read' | 'write'): void {
    this.#access = access
    this.#acknowledgements?.hold()
    if (this.#step1 === 'answered') this.#sendStep1()
  }

  /**
   * Takes what is new in a message. Of a large one it gives a promise, and the next message has to wait for that. What is
   * nested too deep is taken as deleted: to refuse it would leave all that the peer writes after it without ground.
   * @throws CoeditError UPDATE_MALFORMED, STORAGE_CLOSED; the promise rejects with the same
   */
  receive({ type, update }: EditMessage): Promise<void> | undefined {
    if (this.#access === 'read') return this.#receiveOfReader(type, update)
    if (update.length > MAX_TURN_BYTES) {
      return this.#submitLarge(update).then((receipt) => this.#settle(type, receipt))
    }
    this.#settle(type, this.#submit(update))
    return undefined
  }

  /** Asks for what was refused, once the document may take it. */
  askAgain(): void {
    if (!this.#wasRefused || this.#context.document.isFull) return
    this.#wasRefused = false
    if (this.#step1 === 'answered') this.#sendStep1()
  }

  /** Goes on sending when the socket has drained. */
  resume(): void {
    if (this.#step1 === 'owed') this.#sendStep1()
    this.#tellNotTaken()
    this.#acknowledge()
  }

  /** What can be acknowledged now; undefined where there is nothing new to say. */
  nextAcknowledgement(): Buffer | undefined {
    const { dialect, document } = this.#context
    const before = this.#acknowledgements?.acknowledged ?? 0
    const count = this.#acknowledgements?.next(document.durableTicket)
    return count === undefined ? undefined : dialect.acknowledgement(count, before)
  }

  /** Whose edits those are that were changed here: nobody has them as they are now, so that everybody is sent them. */
  get #censor(): Author {
    return { isLimited: true, writer: this.#context.author.writer }
  }

  /** Whether the peer is sent Step1s. */
  get #isAsked(): boolean {
    return this.#access === 'write' || this.#context.dialect.countsEach
  }

  /** One that counts each message is told whether there is anything in it that only its writer has. */
  #receiveOfReader(type: EditMessage['type'], update: Uint8Array): Promise<void> | undefined {
    if (!this.#context.dialect.countsEach) {
      if (type === 'update') this.#deny()
      return undefined
    }
    if (type === 'update') {
      this.#refuseEdit(1)
      return undefined
    }
    if (update.length > MAX_TURN_BYTES) return this.#compareLarge(update)
    this.#compared(this.#context.document.knows(update))
    return undefined
  }

  async #compareLarge(update: Uint8Array): Promise<void> {
    const { document, socket } = this.#context
    const { pieces } = await this.#split(update)
    let isKnown = true
    for (const piece of pieces) {
      isKnown &&= socket.throttle.measure(() => document.knows(piece))
      await (socket.throttle.pause() ?? nextTurn())
    }
    this.#compared(isKnown)
  }

  /** A reader has answered a Step1, by what is known or by more than that. */
  #compared(isKnown: boolean): void {
    this.#step1 = 'answered'
    const weight = this.#acknowledgements?.weighStep2() ?? 0
    if (!isKnown) {
      this.#refuseEdit(weight)
      return
    }
    this.#acknowledgements?.step2(this.#context.document.lastTicket, weight)
    this.#acknowledge()
  }

  #refuseEdit(weight: number): void {
    this.#acknowledgements?.update(this.#context.document.lastTicket, false, weight)
    this.#notTaken++
    this.#tellNotTaken()
  }

  #tellNotTaken(): void {
    const { dialect, socket } = this.#context
    for (; this.#notTaken > 0 && socket.writer.isWritable; this.#notTaken--) this.#tell(dialect.notTaken)
  }

  #submit(update: Uint8Array): SubmittedEdits {
    const { document, author } = this.#context
    const submit = (part: Uint8Array, by: Author) => {
      const { ticket, complete, isRefused } = document.submit(part, by)
      return { ticket, complete, isRefused, parts: [part] }
    }
    try {
      return submit(update, author)
    } catch (error) {
      if (!hasCode(error, 'UPDATE_TOO_DEEP')) throw error
      this.#tellTooDeep()
      return submit(withoutTooDeep(update), this.#censor)
    }
  }

  /** A large update is cut in a worker and taken piece by piece, so that it holds up nobody else. */
  async #submitLarge(update: Uint8Array): Promise<SubmittedEdits> {
    const { document, socket } = this.#context
    const { pieces, author } = await this.#split(update)
    const settled = { ticket: 0, complete: true, isRefused: false, parts: pieces }
    for (const piece of pieces) {
      const { ticket, complete, isRefused } = socket.throttle.measure(() => document.submit(piece, author))
      settled.ticket = ticket
      // What follows a refused piece builds upon it, and is no hole.
      if (!complete && !settled.isRefused) settled.complete = false
      if (isRefused) settled.isRefused = true
      await (socket.throttle.pause() ?? nextTurn())
    }
    return settled
  }

  async #split(update: Uint8Array): Promise<{ pieces: readonly Uint8Array[]; author: Author }> {
    const { workers, author } = this.#context
    const request = { update, maxBytes: MAX_TURN_BYTES }
    try {
      return { pieces: await workers.split(request), author }
    } catch (error) {
      if (!hasCode(error, 'UPDATE_TOO_DEEP')) throw error
      this.#tellTooDeep()
      return { pieces: await workers.split({ ...request, dropsTooDeep: true }), author: this.#censor }
    }
  }

  #settle(type: EditMessage['type'], { ticket, complete, isRefused, parts }: SubmittedEdits): void {
    const acknowledgements = this.#acknowledgements
    const weight = (type === 'step2' ? acknowledgements?.weighStep2() : acknowledgements?.weigh(parts)) ?? 0
    if (type === 'step2') this.#step1 = 'answered'
    if (isRefused) {
      acknowledgements?.update(ticket, false, weight)
      this.#tellFull()
    } else if (type === 'step2') {
      // What is still left out are edits that this client could not integrate either; who has the rest will send it.
      acknowledgements?.step2(ticket, weight)
    } else {
      acknowledgements?.update(ticket, complete, weight)
      // A peer that is asked now would send what was refused once more.
      if (!complete && this.#step1 === 'answered' && !this.#wasRefused) this.#sendStep1()
    }
    this.#acknowledge()
  }

  #sendStep1(): void {
    const { dialect, socket, document } = this.#context
    this.#step1 = socket.writer.isWritable ? 'outstanding' : 'owed'
    if (socket.writer.isWritable) socket.writer.write(dialect.step1(document.encodeStateVector()))
  }

  #acknowledge(): void {
    const { writer } = this.#context.socket
    const frame = writer.isWritable && this.nextAcknowledgement()
    if (frame) writer.write(frame)
  }

  #tellFull(): void {
    if (this.#wasRefused) return
    this.#wasRefused = true
    this.#tellRefused('full', 'the document has reached its limit and takes only deletions')
  }

  #tellTooDeep(): void {
    this.#tellRefused('tooDeep', 'a value is nested too deep, and is deleted')
  }

  #tellRefused(what: Refusal, reason: string): void {
    const { dialect, isOwn } = this.#context
    this.#tell(dialect.refused(what, reason, isOwn))
  }

  #deny(): void {
    if (this.#wasDenied) return
    this.#wasDenied = true
    this.#tell(this.#context.dialect.permissionDenied('this connection may read the document but not write to it'))
  }

  #tell(frame: Buffer | undefined): void {
    if (frame) this.#context.socket.writer.write(frame)
  }
}
