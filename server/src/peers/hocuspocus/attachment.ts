import type { Permit } from '../../auth/grant.ts'
import type { Lease, OnAccess, OnEnd } from '../../auth/lease.ts'
import { CoeditError } from '../../common/errors.ts'
import type { Cancel } from '../../common/timing.ts'
import type { EndReason } from '../../document/subscriber.ts'
import { KeyedFrames, nameInKey, readContent } from '../../protocol/wire/hocuspocus.ts'
import { decodeMessage } from '../../protocol/wire/messages.ts'
import { CLOSE, type Close, closeFor } from '../close-codes.ts'
import type { Dialect } from '../dialect.ts'
import { hocuspocus } from '../dialects/hocuspocus.ts'
import { Session, type SessionContext } from '../session.ts'
import type { Socket } from '../socket.ts'
import { type ChannelOwner, DocumentChannel } from './document-channel.ts'
import type { OfflineQueue } from './offline-queue.ts'
import type { Listener, StatelessRelay } from './stateless-relay.ts'
import { SyncStatuses } from './sync-statuses.ts'

/** Providers before 3.0 send no token where they have none. One that comes is never so much later than the Step1. */
const TOKEN_WAIT_MS = 1_500
/** How long before a token expires another one is asked for; of one that is good for less than twice as long, half of it. */
const RENEWAL_AHEAD_MS = 30_000
/** What passes by itself: the document could not be read, or nobody could say who may. */
const PASSING = new Set<number>([CLOSE.failed.code, CLOSE.restart.code, CLOSE.stalled.code])

export interface Asked {
  readonly document: string
  /** Empty where the client has none. */
  readonly token: string
  readonly channel: DocumentChannel
}

export interface AttachmentContext extends SessionContext {
  readonly socket: Socket
  readonly queue: OfflineQueue
  readonly relay: StatelessRelay
  /** Whether a client may need a token, and brought none with the socket. */
  readonly asksForTokens: boolean
  /** Whether nobody on this socket may write, whatever a token says. */
  readonly isReadOnly: boolean
  /** Bytes that may be kept for documents that are not open yet, all of the socket together. */
  readonly room: { left: number }
  /** As that of the admission; rejects as it does. */
  admit(asked: Asked, onEnd: OnEnd, onAccess: OnAccess): Promise<Lease | undefined>
  /** How late the next denial is told. */
  denialDelayMs(): number
  /** How late what failed is tried again. */
  retryDelayMs(): number
  close(close: Close): void
  /** Ends the socket as late as a refused connection. */
  closeLater(close: Close): void
}

/**
 *     waiting ──▶ checking ──▶ opening ──▶ open
 *        ▲            │           │          │
 *        └────────────┴───────────┴──────────┘
 */
type State =
  /** There is no token, or none that is any good. */
  | { readonly name: 'waiting'; readonly wasDenied: boolean }
  | { readonly name: 'checking'; readonly channel: DocumentChannel; readonly token: string }
  | Begun

interface Begun {
  /** Opening while the document is loaded. */
  readonly name: 'opening' | 'open'
  readonly channel: DocumentChannel
  readonly session: Session
  readonly lease: Lease
}

/**
 * What came for a document that is not open: it begins with a Step1, without which the rest means nothing. The edits
 * themselves are not kept, as the client sends them again when it is asked for what it has.
 */
interface Early {
  readonly step1: Uint8Array
  readonly others: Uint8Array[]
  /** How many edits have to be acknowledged. */
  owed: number
}

/** One document of a socket, from the first message for its key until the client closes it. */
export class Attachment implements ChannelOwner, Listener {
  readonly document: string
  readonly #frames: KeyedFrames
  readonly #dialect: Dialect
  readonly #statuses: SyncStatuses
  readonly #context: AttachmentContext
  #state: State = { name: 'waiting', wasDenied: false }
  #early: Early | undefined
  /** The last token. */
  #token = ''
  /** Whether it is a client that knows when the server closes a document. */
  #knowsClose = false
  #cancelWait: Cancel = () => undefined
  /** The permit that is in force, since when, and whether another token was asked for. */
  #permit: { readonly permit: Permit; readonly since: number; isAsked: boolean } | undefined
  #isOver = false

  constructor(key: string, context: AttachmentContext) {
    this.document = nameInKey(key)
    this.#frames = new KeyedFrames(key)
    this.#dialect = hocuspocus(this.#frames, key === this.document)
    this.#statuses = new SyncStatuses(context.queue)
    this.#context = context
  }

  get access(): 'read' | 'write' {
    const state = this.#state
    return 'lease' in state && !this.#context.isReadOnly ? state.lease.permit.access : 'read'
  }

  get isCongested(): boolean {
    return this.#state.name === 'open' && this.#state.session.isCongested
  }

  /**
   * Takes what follows the key in a message.
   * @throws CoeditError MESSAGE_MALFORMED, UPDATE_MALFORMED
   */
  receive(message: Uint8Array, content = readContent(message)): Promise<void> | undefined {
    if (content.type === 'token') {
      this.#knowsClose ||= content.version !== undefined
      this.#takeToken(content.token)
    } else if (this.#state.name !== 'open') {
      this.#keep(message)
    } else if (content.type === 'stateless') {
      this.#context.relay.pass(this, content.payload)
    } else {
      return this.#state.channel.receive(message)
    }
    return undefined
  }

  /** To be called about once a second. */
  tick(now: number): void {
    if (this.#state.name !== 'open') return
    const { session, lease } = this.#state
    session.tick(now)
    if (this.#permit?.permit !== lease.permit) this.#permit = { permit: lease.permit, since: now, isAsked: false }
    const { permit, since, isAsked } = this.#permit
    const ahead = Math.min(RENEWAL_AHEAD_MS, (permit.expiresAt - since) / 2)
    if (isAsked || now < permit.expiresAt - ahead) return
    this.#permit.isAsked = true
    this.#context.socket.offer(this.#frames.tokenRequest())
  }

  drained(): void {
    if (this.#state.name === 'open') this.#state.session.drained()
  }

  /** Ends with the server, of which others are not told. */
  endSession(reason: EndReason): void {
    if ('session' in this.#state) this.#state.session.end(reason)
  }

  /** The socket is gone; what it brought before may still be received. */
  left(): void {
    this.#isOver = true
    this.#cancelWait()
    this.#forgetEarly()
    this.#context.relay.leave(this)
    if ('channel' in this.#state) this.#state.channel.leave()
  }

  /** Nothing more is received. */
  end(): void {
    this.left()
    if ('channel' in this.#state) this.#state.channel.end()
  }

  say(payload: string): void {
    this.#context.socket.offer(this.#frames.stateless(payload))
  }

  greet(access: 'read' | 'write'): void {
    this.#speak(this.#frames.authenticated(access))
  }

  ready(): void {
    if (this.#state.name !== 'opening') return
    this.#state = { ...this.#state, name: 'open' }
    this.#context.relay.join(this)
    const early = this.#forgetEarly()
    if (!early) return
    void this.receive(early.step1)
    // They are durable with the Step2 that follows.
    this.#statuses.update(0, true, early.owed)
    for (const message of early.others) void this.receive(message)
  }

  close(close: Close): void {
    this.#context.close(close)
  }

  refuse(close: Close): void {
    const state = this.#state
    if (state.name === 'open') this.#context.closeLater(close)
    else if (state.name === 'opening') this.#fail(state.channel, close)
  }

  #takeToken(token: string): void {
    const state = this.#state
    this.#token = token
    if (state.name === 'waiting') this.#check()
    // Where it was the socket that brought the credential, an empty token renews nothing.
    else if ('lease' in state && token !== '') state.lease.renew(token)
  }

  #check(): void {
    this.#cancelWait()
    const channel = new DocumentChannel(this.#context.socket, this)
    this.#state = { name: 'checking', channel, token: this.#token }
    void this.#admit(channel, this.#token)
  }

  async #admit(channel: DocumentChannel, token: string): Promise<void> {
    const { document } = this
    try {
      if (document.trim() === '') throw new CoeditError('DOCUMENT_NAME', 'the document name is blank')
      const lease = await this.#context.admit(
        { document, token, channel },
        (reason, delayMs) => this.#leaseEnded(channel, reason, delayMs),
        (access) => this.#accessChanged(channel, access),
      )
      if (lease && !lease.isOver && !channel.hasLeft) this.#begin(channel, lease, token)
    } catch (err) {
      if (channel.hasLeft) return
      const close = closeFor(err)
      this.#context.log[close === CLOSE.failed ? 'error' : 'debug']({ err, document }, 'refused a document')
      const delayMs = PASSING.has(close.code) ? this.#context.retryDelayMs() : this.#context.denialDelayMs()
      if (delayMs === 0) this.#fail(channel, close)
      else channel.later(this.#context.clock, delayMs, () => this.#fail(channel, close))
    }
  }

  #begin(channel: DocumentChannel, lease: Lease, token: string): void {
    const { isReadOnly } = this.#context
    const terms = {
      lease,
      dialect: this.#dialect,
      access: isReadOnly ? ('read' as const) : lease.permit.access,
      isOwn: false,
      acknowledgements: this.#statuses,
      echo: false,
    }
    const session = new Session(channel, terms, this.#context)
    this.#state = { name: 'opening', channel, session, lease }
    session.start()
    if (this.#token !== token && this.#token !== '') lease.renew(this.#token)
  }

  /** Denies the document, or tries again where that may help: with another token, or when what is wrong has passed. */
  #fail(channel: DocumentChannel, { code, reason }: Close): void {
    const state = this.#state
    const hasAnotherToken = state.name === 'checking' && state.token !== this.#token
    channel.end()
    if (hasAnotherToken || PASSING.has(code)) {
      this.#check()
      return
    }
    this.#state = { name: 'waiting', wasDenied: true }
    this.#forgetEarly()
    this.#speak(this.#frames.denied(reason))
  }

  #leaseEnded(channel: DocumentChannel, reason: CoeditError, delayMs: number): void {
    if (this.#isOver || channel.hasLeft) return
    this.#context.relay.leave(this)
    channel.end()
    const waiting: State = { name: 'waiting', wasDenied: true }
    this.#state = waiting
    this.#forgetEarly()
    const tell = () => {
      // Another token may have come meanwhile.
      if (this.#state !== waiting) return
      this.#speak(this.#frames.denied(closeFor(reason).reason))
      if (this.#knowsClose) this.#speak(this.#frames.close(closeFor(reason).reason))
    }
    if (delayMs === 0) tell()
    else this.#cancelWait = this.#context.clock.after(delayMs, tell)
  }

  #accessChanged(channel: DocumentChannel, access: 'read' | 'write'): void {
    const state = this.#state
    if ('session' in state && state.channel === channel && !this.#context.isReadOnly) state.session.changeAccess(access)
  }

  /** Keeps of a message for a document that is not open what is needed when it is. */
  #keep(message: Uint8Array): void {
    if (this.#isOver) return
    const decoded = decodeMessage(message, false)
    if (decoded.type === 'step1') {
      this.#keepStep1(message, decoded.stateVector)
      return
    }
    const early = this.#early
    if (!early) return
    if (decoded.type === 'update') early.owed += this.#statuses.weigh([decoded.update])
    else if (decoded.type !== 'step2' && this.#takeRoom(message)) early.others.push(new Uint8Array(message))
  }

  #keepStep1(message: Uint8Array, stateVector: Uint8Array): void {
    this.#forgetEarly()
    if (!this.#takeRoom(message)) {
      this.#context.closeLater(CLOSE.firstMessageTooLarge)
      return
    }
    this.#statuses.asked(stateVector)
    this.#early = { step1: new Uint8Array(message), others: [], owed: 0 }
    const state = this.#state
    // After a denial the token follows its Step1, however long it takes.
    if (state.name !== 'waiting' || state.wasDenied) return
    const { clock, asksForTokens } = this.#context
    this.#cancelWait()
    if (asksForTokens) this.#cancelWait = clock.after(TOKEN_WAIT_MS, () => this.#check())
    else this.#check()
  }

  #takeRoom({ length }: Uint8Array): boolean {
    const { room } = this.#context
    if (length > room.left) return false
    room.left -= length
    return true
  }

  #forgetEarly(): Early | undefined {
    const early = this.#early
    this.#early = undefined
    for (const { length } of early ? [early.step1, ...early.others] : []) this.#context.room.left += length
    return early
  }

  #speak(frame: Buffer): void {
    const { socket, queue } = this.#context
    queue.spoke(() => socket.isAlive())
    socket.writer.write(frame)
  }
}
