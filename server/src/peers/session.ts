import type { Lease } from '../auth/lease.ts'
import { CoeditError, goneError, hasCode } from '../common/errors.ts'
import type { Log } from '../common/log.ts'
import type { Clock } from '../common/timing.ts'
import type { Config } from '../config/config.ts'
import type { Cursor, CursorOptions } from '../document/cursor.ts'
import type { Document } from '../document/document.ts'
import type { Documents } from '../document/documents.ts'
import type { Participant } from '../document/participant.ts'
import type { EndReason, Flush } from '../document/subscriber.ts'
import type { HookCalls } from '../hooks/calls.ts'
import type { ConnectionFacts } from '../hooks/hooks.ts'
import type { Writer } from '../protocol/update/update.ts'
import type { PresenceEntry } from '../protocol/wire/awareness.ts'
import type { ClientMessage } from '../protocol/wire/messages.ts'
import type { WorkerPool } from '../workers/pool.ts'
import type { Acknowledgements } from './acknowledgements.ts'
import { Attribution } from './attribution.ts'
import type { Channel, ChannelUser } from './channel.ts'
import { CLOSE, closeFor } from './close-codes.ts'
import type { Dialect } from './dialect.ts'
import { type EditMessage, Intake, isEditMessage } from './intake.ts'
import { Outlet, type Recipient } from './outlet.ts'

/** A state vector that says that there is nothing. */
const EMPTY_STATE_VECTOR_BYTES = 1
/** A client says who it is in one go with its Step1. After this long it has, and may be shown whom it may be itself. */
const READER_INTRODUCTION_MS = 100

export interface SessionContext {
  readonly config: Config
  readonly clock: Clock
  readonly log: Log
  readonly documents: Documents
  readonly workers: WorkerPool
  readonly hooks: HookCalls
  /** Tells the log that a client seems to have come to a wrong address. */
  mistaken(error: CoeditError): void
}

/** What was agreed when the session began. */
export interface SessionTerms {
  /** Says which document it is, and for how long the peer may have it. */
  readonly lease: Lease
  readonly dialect: Dialect
  /** No more than the lease allows. */
  readonly access: 'read' | 'write'
  /** Whether the peer speaks `coedit.v1`, in which tokens are renewed. */
  readonly isOwn: boolean
  /** What counts durable messages, where they are acknowledged. */
  readonly acknowledgements: Acknowledgements | undefined
  /** Whether a client that edits alone is sent its own edits, too. */
  readonly echo: boolean
}

/**
 *     opening ──▶ joined ──▶ leaving ──▶ over
 *        │                      ▲
 *        └──────▶ abandoned ────┘
 */
type State =
  /** The document is being loaded. */
  | { readonly name: 'opening' }
  /** The peer left before the document was there. */
  | { readonly name: 'abandoned' }
  | Joined
  /** The peer has left; what it sent before is still taken in. */
  | Leaving
  /** All is taken, or the document could not be opened. */
  | { readonly name: 'over' }

interface Joined {
  readonly name: 'joined'
  readonly cursor: Cursor
  readonly intake: Intake
  readonly outlet: Outlet
  /** Tells the hooks that the peer is gone. */
  goodbye: () => void
}

interface Leaving {
  readonly name: 'leaving'
  readonly cursor: Cursor
  readonly intake: Intake
}

/**
 * A peer that takes part in one document. What others tell it or ask of it are its methods: closures would be kept for each
 * of many connections that do nothing.
 */
export class Session implements ChannelUser, CursorOptions, Recipient {
  readonly isLimited = true
  readonly user: string | undefined
  readonly socket: Channel
  readonly #terms: SessionTerms
  readonly #context: SessionContext
  readonly #attribution: Attribution
  #access: 'read' | 'write'
  #state: State = { name: 'opening' }
  #hasStep1 = false
  /** Whether it has answered the server's Step1, which it was sent before anything else. */
  #hasAnswered = false
  #mayRemember = false
  /** Whether it ends together with the document, so that nobody is told that it has gone. */
  #isEnding = false
  #wasPresenceRefused = false
  #isForeign = false

  constructor(socket: Channel, terms: SessionTerms, context: SessionContext) {
    this.user = terms.lease.permit.user
    this.#attribution = new Attribution(this, this.user)
    this.socket = socket
    this.#terms = terms
    this.#context = context
    this.#access = terms.access
  }

  get writer(): Writer | undefined {
    const state = this.#state
    return this.#attribution.writerIn(state.name === 'joined' ? state.cursor.document.presence : undefined)
  }

  /** Joins the document, and begins to read what the peer sends. */
  start(): void {
    const ready = this.#context.documents.join(this.#document, this).then(
      (cursor) => this.#join(cursor),
      (error: unknown) => this.#refuseLater(error),
    )
    this.socket.start(this, ready)
  }

  get participant(): Participant {
    return this
  }

  onFlush(flush: Flush): void {
    if (this.#state.name !== 'joined') return
    const { intake, outlet } = this.#state
    this.socket.updateFlow()
    intake.askAgain()
    // While the buffer is full, everything stays where it is until the socket drains.
    if (this.socket.writer.isWritable) outlet.deliver(flush, intake.nextAcknowledgement())
  }

  onEnd(reason: EndReason): void {
    this.end(reason)
  }

  get isCongested(): boolean {
    const state = this.#state
    return 'cursor' in state ? state.cursor.document.isCongested : true
  }

  /** To be called about once a second. */
  tick(now: number): void {
    if (this.#state.name !== 'joined') return
    this.#state.cursor.document.presence.renew(this)
    // This may end it.
    this.socket.tick(now, this.#terms.dialect.keepAlive)
  }

  /** Ends with its document: where all have to go, nobody is told that this one has. */
  end(reason: EndReason): void {
    this.#isEnding = true
    if (reason === 'deleted') this.#terms.lease.end(goneError(this.#document))
    else this.socket.close(CLOSE[reason])
  }

  get mayRemember(): boolean {
    return this.#mayRemember
  }

  /** Of a peer that is sent no Step1 nothing tells what it said first. */
  get mayRepeat(): boolean {
    return this.#hasAnswered || !this.#isAsked
  }

  get lastHeardAt(): number {
    return this.socket.lastHeardAt
  }

  show(entries: readonly PresenceEntry[]): void {
    this.socket.offer(this.#terms.dialect.presence(entries))
  }

  refusePresence(reason: string): void {
    const { dialect, isOwn } = this.#terms
    this.socket.offer(dialect.refused('presence', reason, isOwn))
    if (this.#wasPresenceRefused) return
    this.#wasPresenceRefused = true
    this.#context.log.warn({ document: this.#document, reason }, 'the presence of a client was refused')
  }

  isAlive(): Promise<boolean> {
    return this.socket.isAlive()
  }

  receive(bytes: Uint8Array): Promise<void> | undefined {
    const state = this.#state
    if (!('intake' in state) || this.#isForeign) return undefined
    if (!this.#hasStep1 && bytes.length > this.#context.config.maxFirstMessageBytes) {
      this.socket.close(CLOSE.firstMessageTooLarge)
      return undefined
    }
    if (!this.#hasStep1 && this.#terms.dialect.isForeign(bytes)) {
      this.#refuseForeign()
      return undefined
    }
    try {
      const message = this.#terms.dialect.decode(bytes, this.#terms.isOwn)
      if (message.type === 'step2') this.#answered(state)
      if (isEditMessage(message)) return state.intake.receive(message)?.catch((error: unknown) => this.#refuse(error))
      if (state.name === 'joined') this.#dispatch(message, state)
    } catch (error) {
      this.#refuse(error)
    }
    return undefined
  }

  drained(): void {
    if (this.#state.name !== 'joined') return
    this.#state.outlet.resume()
    this.#state.intake.resume()
  }

  left(): void {
    const state = this.#state
    this.#terms.lease.release()
    if (state.name === 'opening') this.#state = { name: 'abandoned' }
    if (state.name !== 'joined') return
    const { cursor, intake } = state
    // What is still to be taken in is by the name that it shows now, of which nothing is left then.
    this.#attribution.writerIn(cursor.document.presence)
    this.#state = { name: 'leaving', cursor, intake }
    cursor.stop()
    if (!this.#isEnding) cursor.document.presence.leave(this)
    state.goodbye()
  }

  emptied(): void {
    if ('cursor' in this.#state) this.#state.cursor.release()
    this.#state = { name: 'over' }
  }

  readFailed(error: unknown): void {
    this.#refuse(error)
  }

  /** From now on the peer may do something else. */
  changeAccess(access: 'read' | 'write'): void {
    this.#access = access
    const state = this.#state
    if (state.name !== 'joined') return
    state.goodbye()
    state.goodbye = this.#context.hooks.connected(this.#facts)
    this.socket.greet(access)
    state.intake.changeAccess(access)
  }

  get #document(): string {
    return this.#terms.lease.permit.document
  }

  get #facts(): ConnectionFacts {
    return { name: this.#document, user: this.user, access: this.#access }
  }

  /** Whether the peer is sent a Step1. */
  get #isAsked(): boolean {
    return this.#access === 'write' || this.#terms.dialect.countsEach
  }

  #join(cursor: Cursor): void {
    const { workers, hooks, config } = this.#context
    const { dialect, isOwn, acknowledgements, echo } = this.#terms
    const access = this.#access
    const socket = this.socket
    const { document } = cursor
    const intake = new Intake({ workers, document, dialect, socket, author: this, access, isOwn, acknowledgements })
    if (this.#state.name !== 'opening') {
      this.#state = { name: 'leaving', cursor, intake }
      return
    }
    const outlet = new Outlet({ cursor, dialect, socket, recipient: this, echo })
    const goodbye = hooks.connected(this.#facts)
    this.#state = { name: 'joined', cursor, intake, outlet, goodbye }
    document.presence.join(this)
    socket.writer.together(() => {
      socket.greet(access)
      intake.begin()
      outlet.showPresence()
      if (isOwn && config.nodeName !== '') socket.offer(dialect.node(config.nodeName))
    })
  }

  #dispatch(message: Exclude<ClientMessage, EditMessage>, { cursor, intake, outlet }: Joined): void {
    switch (message.type) {
      case 'step1':
        this.#begin(message.stateVector, cursor.document)
        intake.asked(message.stateVector)
        outlet.answer(message.stateVector)
        break
      case 'awareness':
        if (this.#mayShow) cursor.document.presence.receive(this, message.entries)
        break
      case 'queryAwareness':
        outlet.showPresence()
        break
      case 'token':
        this.#terms.lease.renew(message.token)
        break
      case 'unknown':
        this.#context.log.debug({ type: message.number }, 'ignored a message of unknown type')
        break
      default:
        message satisfies never
    }
  }

  /** Who has nothing of a document in which there is something was not here before. */
  #begin(stateVector: Uint8Array, document: Document): void {
    if (this.#hasStep1) return
    this.#hasStep1 = true
    this.#mayRemember = stateVector.length > EMPTY_STATE_VECTOR_BYTES || document.head === 0
    if (!this.#isAsked) {
      this.socket.later(this.#context.clock, READER_INTRODUCTION_MS, () => this.#showOthers(this.#state))
    }
  }

  #answered(state: State): void {
    if (this.#hasAnswered) return
    this.#hasAnswered = true
    this.#showOthers(state)
  }

  #showOthers(state: State): void {
    if (state.name === 'joined' && this.#mayRemember) state.outlet.showOthers()
  }

  get #mayShow(): boolean {
    const { presenceFrom } = this.#context.config
    return presenceFrom === 'all' || (presenceFrom === 'writers' && this.#access === 'write')
  }

  /** Refuses the peer after a delay: clients come back at once, and the document could not be opened then either. */
  #refuseLater(error: unknown): void {
    const { clock, documents } = this.#context
    this.#state = { name: 'over' }
    this.socket.later(clock, documents.refusals.next(this.#document), () => this.#refuse(error))
  }

  /** Refuses a client that has what was deleted, and after a delay: older ones would come back at once. */
  #refuseFormer(error: CoeditError): void {
    const { clock, documents } = this.#context
    this.#isForeign = true
    this.socket.later(clock, documents.refusals.next(this.#document), () => this.#terms.lease.end(error))
  }

  /** Refuses a client of another kind after a delay: it would come back at once. */
  #refuseForeign(): void {
    const { clock, documents } = this.#context
    const error = new CoeditError(
      'CLIENT_MISTAKEN',
      'this looks like @hocuspocus/provider: its URL is that of the server, without the name of a document',
    )
    this.#isForeign = true
    this.#context.mistaken(error)
    this.socket.later(clock, documents.refusals.next(this.#document), () => this.#refuse(error))
  }

  #refuse(error: unknown): void {
    if (error instanceof CoeditError && error.code === 'GONE') {
      if (this.#state.name === 'joined') this.#refuseFormer(error)
      else this.#terms.lease.end(error)
      return
    }
    const close = closeFor(error)
    if (!this.socket.hasLeft) {
      const facts = { err: error, document: this.#document }
      // Damage was logged where it was found: whoever comes meets it again.
      const isNews = close === CLOSE.failed && !hasCode(error, 'STORAGE_DAMAGED')
      this.#context.log[isNews ? 'error' : 'debug'](facts, 'closed a connection')
    }
    this.socket.refuse(close)
  }
}
