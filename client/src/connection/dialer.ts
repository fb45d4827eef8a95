import type { Cancel, Clock } from '../common/clock.ts'
import { ClientError, type ClientErrorCode } from '../common/errors.ts'
import type { OpenSocket } from './socket.ts'
import type { StateStore } from './state.ts'
import type { TokenSource } from './token.ts'
import type { Transports } from './transports.ts'
import type { Wire } from './wire.ts'

const FIRST_DELAY_MS = 100
const MAX_DELAY_MS = 2_500
/** How long to wait after a message was too large: it would be refused again, until edits have made it smaller. */
const TOO_LARGE_DELAY_MS = 30_000
/**
 * How long to wait before a token is asked for the last time: one that was issued by a clock that runs ahead is good a few
 * seconds later.
 */
const SIGN_IN_DELAY_MS = 5_000
/** So often in a row the server may refuse a token before it is taken for its last word. */
const TOKENS_TRIED = 3
/**
 * Browsers wait minutes for a socket to open. One that is open has as long to bring something, as every server does at once
 * when it has the document: some proxies agree to a WebSocket and pass nothing on.
 */
const DEADLINE_MS = 15_000
/** Of a WebSocket that is not open by then it is asked whether it is blocked. */
const DOUBT_MS = 4_000
/** With this many attempts the server counts as unreachable, when the last one brought nothing. */
const UNREACHABLE_AFTER = 3

/** By this side, and by the network: the other end has given no code. */
const CLOSED_HERE = 0
const CLOSED_ABNORMALLY = 1006
const CLOSED_TOO_LARGE = 1009
const CLOSED_SIGNED_OUT = 4401
const CLOSED_GONE = 4404

export interface DialerContext {
  readonly store: StateStore
  readonly clock: Clock
  readonly token: TokenSource | undefined
  readonly transports: Transports
  /** Opens a socket that offers these subprotocols beside that of the acknowledgements. May throw. */
  readonly open: (protocols: readonly string[], open: OpenSocket) => Wire
}

/**
 *             start            token            socket opens         a message
 *   resting ---------> asking ---------> opening -----------> silent ---------> open
 *      ^                  | fails           | fails              | closes        | closes
 *      | stop, refusal    v                 v                    v               v
 *      +-------------- waiting <-------------------------------------------------+
 */
type Phase =
  | { readonly name: 'resting' | 'asking' }
  | { readonly name: 'opening' | 'silent'; readonly wire: Wire; readonly cancel: Cancel }
  | { readonly name: 'open'; readonly wire: Wire }
  | { readonly name: 'waiting'; readonly until: number; readonly cancel: Cancel }

/** Decides when a socket is opened, and has one at a time. */
export class Dialer {
  readonly #context: DialerContext
  #phase: Phase = { name: 'resting' }
  /** Attempts since the server's content came last. */
  #attempts = 0
  /** Tokens that the server has refused since its content came last. */
  #tokensRefused = 0

  constructor(context: DialerContext) {
    this.#context = context
  }

  get wire(): Wire | undefined {
    return 'wire' in this.#phase ? this.#phase.wire : undefined
  }

  /** Opens a socket, and others after it, until `stop` or until the server refuses for good. */
  start(): void {
    if (this.#phase.name === 'resting') void this.#dial()
  }

  stop(): void {
    const { wire } = this
    this.#enter({ name: 'resting' })
    wire?.close()
  }

  /** Gives up a socket that seems dead; another one follows. */
  hangUp(): void {
    this.wire?.close()
  }

  /** Waits no longer: something says that the network is back, or somebody does not want to wait. */
  hurry(): void {
    if (this.#phase.name === 'waiting') void this.#dial()
  }

  opened(): void {
    const { wire } = this
    if (!wire) return
    const { clock, token } = this.#context
    // By HTTP the server has answered by now.
    if (wire.transport === 'http') this.#enter({ name: 'open', wire })
    else this.#enter({ name: 'silent', wire, cancel: clock.after(DEADLINE_MS, () => this.hangUp()) })
    token?.keepFresh()
  }

  /** A message has come. */
  heard(): void {
    if (this.#phase.name !== 'silent') return
    this.#context.transports.passed()
    this.#enter({ name: 'open', wire: this.#phase.wire })
  }

  synced(): void {
    this.#attempts = 0
    this.#tokensRefused = 0
  }

  closed(code: number, reason: string): void {
    const { token } = this.#context
    token?.rest()
    if (this.#phase.name === 'resting') return
    if (code === CLOSED_SIGNED_OUT && token && ++this.#tokensRefused < TOKENS_TRIED) this.#dialWithNewToken(token)
    else if (code >= 4400 && code < 4500) this.#acceptRefusal(code, reason)
    else this.#retry(code)
  }

  /** Opens a socket synchronously where there is no token to wait for. */
  async #dial(): Promise<void> {
    const phase: Phase = { name: 'asking' }
    this.#enter(phase)
    this.#attempts += 1
    const { token: source, transports } = this.#context
    const token = source && (await source.get())
    const next = transports.next()
    const open = next instanceof Promise ? await next : next
    if (this.#phase !== phase) return
    if (token instanceof ClientError) this.#fail(token)
    else this.#open(token === undefined ? [] : [`bearer.${token}`], open)
  }

  #open(protocols: readonly string[], openSocket: OpenSocket): void {
    const { clock, open, transports } = this.#context
    try {
      const wire = open(protocols, openSocket)
      let cancel = clock.after(DOUBT_MS, () => {
        cancel = clock.after(DEADLINE_MS - DOUBT_MS, () => this.hangUp())
        void this.#doubt(wire)
      })
      this.#enter({ name: 'opening', wire, cancel: () => cancel() })
    } catch (cause) {
      transports.failed()
      this.#fail(new ClientError('UNREACHABLE', 'no socket can be opened', { cause }))
    }
  }

  /** Gives up a WebSocket that does not open, where the server answers otherwise. */
  async #doubt(wire: Wire): Promise<void> {
    const isBlocked = await this.#context.transports.ask()
    if (isBlocked && this.#phase.name === 'opening' && this.wire === wire) this.hangUp()
  }

  /** Waits for the next attempt where no socket was opened, so that none will be closed. */
  #fail(error: ClientError): void {
    this.#context.store.change({ connection: 'offline' })
    this.#context.store.block(error)
    this.#wait(this.#delayMs)
  }

  #dialWithNewToken(token: TokenSource): void {
    token.discard()
    if (this.#tokensRefused === 1) void this.#dial()
    else this.#wait(SIGN_IN_DELAY_MS)
  }

  #acceptRefusal(code: number, reason: string): void {
    this.#enter({ name: 'resting' })
    // Whoever starts again does so with a clean slate.
    this.#tokensRefused = 0
    this.#context.token?.discard()
    this.#context.store.deny(code, reason, refusal(code, reason))
  }

  #retry(code: number): void {
    const { store, transports } = this.#context
    // A server that says why it closes has been heard.
    const isDead = this.#phase.name !== 'open' && (code === CLOSED_HERE || code === CLOSED_ABNORMALLY)
    if (isDead && transports.failed()) {
      void this.#dial()
      return
    }
    const isTooLarge = code === CLOSED_TOO_LARGE
    if (isTooLarge) {
      store.block(new ClientError('TOO_LARGE', 'the server takes no message of this size'))
    } else if (isDead && this.#attempts >= UNREACHABLE_AFTER) {
      store.block(new ClientError('UNREACHABLE', 'the server cannot be reached'))
    }
    this.#wait(isTooLarge ? TOO_LARGE_DELAY_MS : this.#delayMs)
  }

  #wait(delayMs: number): void {
    const { clock } = this.#context
    const cancel = clock.after(delayMs, () => void this.#dial())
    this.#enter({ name: 'waiting', until: clock.now() + delayMs, cancel })
  }

  get #delayMs(): number {
    return Math.min(FIRST_DELAY_MS * 2 ** this.#attempts, MAX_DELAY_MS)
  }

  #enter(phase: Phase): void {
    if ('cancel' in this.#phase) this.#phase.cancel()
    this.#phase = phase
    this.#context.store.change({ retryAt: 'until' in phase ? phase.until : null })
  }
}

/** What a refusal for good is, by its close code. */
export function refusal(code: number, reason: string): ClientError {
  return new ClientError(refusalCode(code), `the server refused: ${reason || code}`)
}

function refusalCode(code: number): ClientErrorCode {
  if (code === CLOSED_SIGNED_OUT) return 'SIGNED_OUT'
  return code === CLOSED_GONE ? 'GONE' : 'DENIED'
}
