import type { Lease } from '../auth/lease.ts'
import { hasCode } from '../common/errors.ts'
import type { Log } from '../common/log.ts'
import type { Clock } from '../common/timing.ts'
import type { Config } from '../config/config.ts'
import type { Cursor } from '../document/cursor.ts'
import type { Documents } from '../document/documents.ts'
import type { Participant } from '../document/presence.ts'
import type { Author, Flush } from '../document/subscriber.ts'
import type { HookCalls } from '../hooks/calls.ts'
import type { PresenceEntry } from '../protocol/wire/awareness.ts'
import type { ClientMessage } from '../protocol/wire/messages.ts'
import type { WorkerPool } from '../workers/pool.ts'
import { CLOSE, closeFor } from './close-codes.ts'
import type { Dialect } from './dialect.ts'
import { type EditMessage, Intake, isEditMessage } from './intake.ts'
import { Outlet } from './outlet.ts'
import type { Socket, SocketUser } from './socket.ts'

export interface SessionContext {
  readonly config: Config
  readonly clock: Clock
  readonly log: Log
  readonly documents: Documents
  readonly workers: WorkerPool
  readonly hooks: HookCalls
}

/** What was agreed when the session began. */
export interface SessionTerms {
  /** Says which document it is, and for how long the peer may have it. */
  readonly lease: Lease
  readonly dialect: Dialect
  /** No more than the lease allows. */
  readonly access: 'read' | 'write'
  /** Whether the peer speaks `coedit.v1`, in which durable messages are acknowledged and tokens are renewed. */
  readonly acknowledges: boolean
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
  readonly goodbye: () => void
}

interface Leaving {
  readonly name: 'leaving'
  readonly cursor: Cursor
  readonly intake: Intake
}

/** A peer that takes part in one document. */
export class Session implements SocketUser, Participant, Author {
  readonly isLimited = true
  readonly user: string | undefined
  readonly socket: Socket
  readonly #terms: SessionTerms
  readonly #context: SessionContext
  #state: State = { name: 'opening' }
  #hasStep1 = false

  constructor(socket: Socket, terms: SessionTerms, context: SessionContext) {
    this.user = terms.lease.permit.user
    this.socket = socket
    this.#terms = terms
    this.#context = context
  }

  /** Joins the document, and begins to read what the peer sends. */
  start(): void {
    const joining = this.#context.documents.join(this.#document, {
      wantsPresence: true,
      onFlush: (flush) => this.#deliver(flush),
      onEnd: (reason) => this.socket.close(CLOSE[reason]),
    })
    const ready = joining.then(
      (cursor) => this.#join(cursor),
      (error: unknown) => this.#refuseLater(error),
    )
    this.socket.start(this, ready)
  }

  get isCongested(): boolean {
    const state = this.#state
    return 'cursor' in state ? state.cursor.document.isCongested : true
  }

  /** To be called about once a second. */
  tick(now: number): void {
    if (this.#state.name === 'joined') this.socket.tick(now, this.#terms.dialect.keepAlive)
  }

  show(entries: readonly PresenceEntry[]): void {
    this.socket.offer(this.#terms.dialect.presence(entries))
  }

  isAlive(): Promise<boolean> {
    return this.socket.isAlive()
  }

  receive(bytes: Uint8Array): Promise<void> | undefined {
    const state = this.#state
    if (!('intake' in state)) return undefined
    if (!this.#hasStep1 && bytes.length > this.#context.config.maxFirstMessageBytes) {
      this.socket.close(CLOSE.firstMessageTooLarge)
      return undefined
    }
    try {
      const message = this.#terms.dialect.decode(bytes, this.#terms.acknowledges)
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
    this.#state = { name: 'leaving', cursor, intake }
    cursor.stop()
    cursor.document.presence.leave(this)
    state.goodbye()
  }

  emptied(): void {
    if ('cursor' in this.#state) this.#state.cursor.release()
    this.#state = { name: 'over' }
  }

  get #document(): string {
    return this.#terms.lease.permit.document
  }

  #join(cursor: Cursor): void {
    const { workers, hooks } = this.#context
    const { dialect, access, acknowledges, echo } = this.#terms
    const socket = this.socket
    const { document } = cursor
    const intake = new Intake({ workers, document, dialect, socket, author: this, access, acknowledges })
    if (this.#state.name !== 'opening') {
      this.#state = { name: 'leaving', cursor, intake }
      return
    }
    const onError = (error: unknown) => this.#refuse(error)
    const outlet = new Outlet({ cursor, dialect, socket, author: this, echo, onError })
    const goodbye = hooks.connected({ name: document.name, user: this.user, access })
    this.#state = { name: 'joined', cursor, intake, outlet, goodbye }
    socket.writer.together(() => {
      intake.begin()
      outlet.showPresence()
    })
  }

  #deliver(flush: Flush): void {
    if (this.#state.name !== 'joined') return
    const { intake, outlet } = this.#state
    this.socket.updateFlow()
    intake.askAgain()
    // While the buffer is full, everything stays where it is until the socket drains.
    if (this.socket.writer.isWritable) outlet.deliver(flush, intake.nextAcknowledgement())
  }

  #dispatch(message: Exclude<ClientMessage, EditMessage>, { cursor, outlet }: Joined): void {
    switch (message.type) {
      case 'step1':
        this.#hasStep1 = true
        outlet.answer(message.stateVector)
        break
      case 'awareness':
        cursor.document.presence.receive(this, message.entries)
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

  /** Refuses the peer after a delay: clients come back at once, and the document could not be opened then either. */
  #refuseLater(error: unknown): void {
    const { clock, documents } = this.#context
    this.#state = { name: 'over' }
    this.socket.later(clock, documents.refusals.next(this.#document), () => this.#refuse(error))
  }

  #refuse(error: unknown): void {
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
