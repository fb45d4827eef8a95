import type { WebsocketProvider } from 'y-websocket'
import { ACKNOWLEDGING_PROTOCOL } from './acknowledgement.ts'
import type { Cancel, Clock } from './clock.ts'
import { ClientError } from './errors.ts'
import type { StateStore } from './state.ts'
import type { TokenSource } from './token.ts'

const FIRST_DELAY_MS = 100
const MAX_DELAY_MS = 2_500
/** After a message was too large: the same one would be refused again, until edits have made it smaller. */
const TOO_LARGE_DELAY_MS = 30_000
/** From this many attempts in a row without an open socket on, the server counts as unreachable. */
const UNREACHABLE_AFTER = 3

const CLOSED_TOO_LARGE = 1009
const CLOSED_SIGNED_OUT = 4401
const CLOSED_GONE = 4404

export interface DialerContext {
  readonly provider: WebsocketProvider
  readonly store: StateStore
  readonly clock: Clock
  readonly token: TokenSource | undefined
}

/**
 * - `resting`: no socket is wanted.
 * - `dialing`: a token is asked for, a socket is being opened, or is open.
 * - `waiting`: the next attempt follows.
 */
type Phase = { name: 'resting' } | { name: 'dialing' } | { name: 'waiting'; cancel: Cancel }

/**
 * Decides when a socket is opened. The provider could open the next one by itself, but not with the next token, not at
 * once when the network is back, and not later than usual where that would be of no use.
 */
export class Dialer {
  readonly #context: DialerContext
  #phase: Phase = { name: 'resting' }
  /** What has happened since the server's content came last. */
  #trouble = { attempts: 0, unopened: 0, isTokenNew: false }

  constructor(context: DialerContext) {
    this.#context = context
  }

  /** Opens a socket, and others after it, until `stop`. */
  start(): void {
    if (this.#phase.name === 'resting') void this.#dial()
  }

  stop(): void {
    this.#rest()
    this.#context.provider.disconnect()
  }

  /** Something says that the network is back: waits no longer. */
  hurry(): void {
    if (this.#phase.name !== 'waiting') return
    this.#phase.cancel()
    void this.#dial()
  }

  opened(): void {
    this.#trouble.unopened = 0
    this.#context.token?.keepFresh()
    this.#context.store.unblock('UNREACHABLE')
  }

  synced(): void {
    this.#trouble = { attempts: 0, unopened: 0, isTokenNew: false }
  }

  /** The provider's socket has closed, or was given up (then there is no event), and the provider still holds it. */
  closed(event: CloseEvent | null): void {
    const { provider, token } = this.#context
    provider.shouldConnect = false
    token?.rest()
    if (this.#phase.name === 'resting') return
    const { code, reason } = event ?? { code: 0, reason: '' }
    if (code === CLOSED_SIGNED_OUT && token && !this.#trouble.isTokenNew) this.#dialWithNewToken(token)
    else if (code >= 4400 && code < 4500) this.#giveUp(code, reason)
    else this.#retry(code)
  }

  /** Synchronous where there is no token to wait for. */
  async #dial(): Promise<void> {
    const phase: Phase = { name: 'dialing' }
    this.#phase = phase
    this.#trouble.attempts += 1
    const protocols = [ACKNOWLEDGING_PROTOCOL]
    const token = this.#context.token && (await this.#context.token.get())
    if (this.#phase !== phase) return
    if (token instanceof ClientError) {
      this.#context.store.change({ connection: 'offline' })
      this.#context.store.block(token)
      this.#wait(this.#delayMs)
      return
    }
    if (token !== undefined) protocols.push(`bearer.${token}`)
    this.#open(protocols)
  }

  #open(protocols: string[]): void {
    const { provider, store } = this.#context
    store.unblock('TOKEN_FAILED')
    this.#trouble.unopened += 1
    // The clock of what this editor announces must be higher than where the server took it away at the last close, and
    // than 0: others would ignore it.
    const { awareness } = provider
    if (awareness.getLocalState() !== null) awareness.setLocalState(awareness.getLocalState())
    provider.protocols = protocols
    try {
      provider.connect()
    } catch (cause) {
      // A page of HTTPS may open no socket without TLS.
      store.block(new ClientError('UNREACHABLE', 'the browser opens no socket to this address', { cause }))
      this.#wait(MAX_DELAY_MS)
    }
  }

  #dialWithNewToken(token: TokenSource): void {
    token.discard()
    this.#trouble.isTokenNew = true
    void this.#dial()
  }

  #giveUp(code: number, reason: string): void {
    this.#rest()
    this.#context.store.deny(code, reason, refusal(code, reason))
  }

  #retry(code: number): void {
    const { store } = this.#context
    if (code === CLOSED_TOO_LARGE) {
      store.block(new ClientError('TOO_LARGE', 'the server takes no message of this size'))
      this.#wait(TOO_LARGE_DELAY_MS)
      return
    }
    if (this.#trouble.unopened >= UNREACHABLE_AFTER) {
      store.block(new ClientError('UNREACHABLE', 'the server cannot be reached'))
    }
    this.#wait(this.#delayMs)
  }

  #wait(delayMs: number): void {
    this.#phase = { name: 'waiting', cancel: this.#context.clock.after(delayMs, () => void this.#dial()) }
  }

  get #delayMs(): number {
    return Math.min(FIRST_DELAY_MS * 2 ** this.#trouble.attempts, MAX_DELAY_MS)
  }

  #rest(): void {
    if (this.#phase.name === 'waiting') this.#phase.cancel()
    this.#phase = { name: 'resting' }
  }
}

function refusal(code: number, reason: string): ClientError {
  const why = reason === '' ? `by ${code}` : `: ${reason}`
  if (code === CLOSED_SIGNED_OUT) return new ClientError('SIGNED_OUT', `the server knows nobody by this token${why}`)
  if (code === CLOSED_GONE) return new ClientError('GONE', `the document does not exist any more${why}`)
  return new ClientError('DENIED', `the server refused${why}`)
}
