import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Config } from '../../config/config.ts'
import type { Cursor } from '../../document/cursor.ts'
import type { Document } from '../../document/document.ts'
import type { Documents } from '../../document/documents.ts'
import type { Place } from '../../document/in-process.ts'
import { EMPTY_UPDATE } from '../../protocol/update/update.ts'
import { messageIn } from '../../protocol/wire/bodies.ts'
import { updateHead } from '../../protocol/wire/frames.ts'
import { decodeMessage, MESSAGE } from '../../protocol/wire/messages.ts'
import type { WorkerPool } from '../../workers/pool.ts'
import { Acknowledgements } from '../acknowledgements.ts'
import { yWebsocket } from '../dialects/y-websocket.ts'
import { Intake, isEditMessage } from '../intake.ts'
import type { Caller } from './caller.ts'

export interface CallContext {
  readonly config: Config
  readonly documents: Documents
  readonly workers: WorkerPool
}

export interface CallTerms {
  readonly document: string
  readonly caller: Caller
  /** No more than its permit allows. */
  readonly access: 'read' | 'write'
  /** How many messages with edits it has sent before. */
  readonly sentBefore: number
}

/** What a call is answered with. */
export interface CallAnswer {
  readonly messages: readonly Uint8Array[]
  /** What the caller lacks, where it has asked for that. */
  readonly content: CallContent | undefined
}

export interface CallContent {
  /** Where it ends. */
  readonly place: Place
  /** The parts of each message. */
  readonly messages: Iterator<readonly Uint8Array[], void>
  /** To be called when no more is to be read, which may be at its end. */
  release(): void
}

/**
 * Takes the messages of one request, as a session takes those of a connection, and answers when all that is new in them is
 * durable. Nothing of it is kept for the next request, which may come to another server. Rejects with MESSAGE_MALFORMED,
 * UPDATE_MALFORMED, GONE, STORAGE_CLOSED, and as `Documents.join` does.
 */
export async function takeCall(
  bodies: readonly Uint8Array[],
  terms: CallTerms,
  context: CallContext,
): Promise<CallAnswer> {
  const cursor = await context.documents.join(terms.document)
  let isLent = false
  try {
    const call = new Call(cursor, terms, context)
    for (const body of bodies) await call.take(body)
    const answer = await call.answer()
    isLent = answer.content !== undefined
    return answer
  } finally {
    if (!isLent) cursor.release()
  }
}

class Call {
  readonly #cursor: Cursor
  readonly #terms: CallTerms
  readonly #context: CallContext
  readonly #intake: Intake
  readonly #messages: Uint8Array[] = []
  /** What goes on from an earlier call needs no Step2 of its own. */
  readonly #acknowledgements = new Acknowledgements(true)
  /** Messages with edits that it has sent. */
  #edits = 0
  #stateVector: Uint8Array | undefined

  constructor(cursor: Cursor, terms: CallTerms, context: CallContext) {
    const { caller, access } = terms
    this.#cursor = cursor
    this.#terms = terms
    this.#context = context
    this.#intake = new Intake({
      workers: context.workers,
      document: cursor.document,
      dialect: yWebsocket,
      socket: {
        throttle: caller.throttle,
        writer: { isWritable: true, write: (frame) => this.#say(frame) },
      },
      author: caller,
      access,
      isOwn: true,
      acknowledgements: this.#acknowledgements,
    })
  }

  async take(body: Uint8Array): Promise<void> {
    const { caller } = this.#terms
    caller.throttle.received(body.length)
    const message = decodeMessage(body, true)
    if (message.type === 'step1') {
      if (!this.#stateVector) this.#intake.begin()
      this.#stateVector = message.stateVector
    } else if (message.type === 'awareness') {
      if (this.#mayShow && !(await caller.say(message.entries))) this.#say(yWebsocket.refused('presence', '', true))
    } else if (isEditMessage(message)) {
      this.#edits++
      await caller.throttle.measure(() => this.#intake.receive(message))
    }
    await (caller.throttle.pause() ?? nextTurn())
  }

  async answer(): Promise<CallAnswer> {
    const cursor = this.#cursor
    const { document } = cursor
    if (this.#edits > 0) await this.#acknowledge(document)
    if (!this.#stateVector) return { messages: this.#messages, content: undefined }
    const { nodeName } = this.#context.config
    if (nodeName !== '') this.#say(yWebsocket.node(nodeName))
    this.#terms.caller.throttle.received(await cursor.answer(this.#stateVector))
    const place = { incarnation: document.incarnation, position: cursor.position ?? 0 }
    return { messages: this.#messages, content: contentOf(cursor, place) }
  }

  get #mayShow(): boolean {
    const { presenceFrom } = this.#context.config
    return presenceFrom === 'all' || (presenceFrom === 'writers' && this.#terms.access === 'write')
  }

  /** All of them or none: what was not taken comes again with all that was sent. */
  async #acknowledge(document: Document): Promise<void> {
    // What brings nothing is durable when all is that came before.
    await document.submit(EMPTY_UPDATE, null).durable
    this.#acknowledgements.next(document.durableTicket)
    if (this.#acknowledgements.acknowledged < this.#edits) return
    this.#messages.push(messageIn(yWebsocket.acknowledgement(this.#terms.sentBefore + this.#edits, 0)))
  }

  #say(frame: Uint8Array | undefined): void {
    // What is durable already is told with all else.
    const message = frame && messageIn(frame)
    if (message && message[0] !== MESSAGE.acknowledgement) this.#messages.push(message)
  }
}

/** What is on its way of a cursor, which is released with it. */
function contentOf(cursor: Cursor, place: Place): CallContent {
  const messages = messagesOf(cursor)
  const release = () => {
    messages.return()
    cursor.release()
  }
  return { place, messages, release }
}

function* messagesOf(cursor: Cursor): Generator<readonly Uint8Array[], void, void> {
  for (const { update, letGo } of cursor.rest()) {
    try {
      yield [messageIn(updateHead(update.length)), update]
    } finally {
      letGo?.()
    }
  }
  yield [messageIn(yWebsocket.endOfAnswer)]
}
