import type { Cancel, Clock } from '../common/clock.ts'
import { ClientError } from '../common/errors.ts'

/** Late enough to use most of a token's time, and early enough for some more tries when the first one fails. */
const RENEWED_AFTER = 0.8
/** With less than this left nothing is tried any more: the next connection asks for the next token. */
const MIN_LEFT_MS = 1_000
/** The longest delay that timers take; a longer one would end at once. */
const MAX_DELAY_MS = 2 ** 31 - 1

/** What a WebSocket subprotocol cannot have: RFC 6455 §4.1 makes it a `token` of RFC 9110 §5.6.2. */
const ILLEGAL = /[^!#$%&'*+\-.^_`|~0-9A-Za-z]/

export interface TokenContext {
  readonly clock: Clock
  /** The application's function. */
  readonly fetch: () => string | Promise<string>
  /** Called with each token that takes the place of one that still serves. */
  readonly onRenewed: (token: string) => void
  /** Called when the present token could not be renewed in time, while it still serves. */
  readonly onRenewalFailed: (error: ClientError) => void
}

/** The token of the next connection: asked for when needed, and renewed before it expires. */
export class TokenSource {
  readonly #context: TokenContext
  #present: { readonly token: string; readonly expiresAt: number } | undefined
  #underWay: Promise<string | ClientError> | undefined
  #cancelRenewal: Cancel = () => undefined

  constructor(context: TokenContext) {
    this.#context = context
  }

  /** The present token, or a new one where there is none that serves. Resolves with TOKEN_FAILED when that fails. */
  async get(): Promise<string | ClientError> {
    return this.#present && this.#leftMs > 0 ? this.#present.token : this.#fetch()
  }

  /** Forgets the present token: the server does not take it. */
  discard(): void {
    this.#present = undefined
  }

  /** Renews the token before it expires, until `rest`. A try that fails is followed by another one later. */
  keepFresh(): void {
    this.rest()
    const leftMs = this.#leftMs
    if (leftMs < MIN_LEFT_MS || leftMs === Number.POSITIVE_INFINITY) return
    const cancel = this.#context.clock.after(Math.min(leftMs * RENEWED_AFTER, MAX_DELAY_MS), async () => {
      const result = await this.#fetch()
      if (this.#cancelRenewal !== cancel) return
      if (result instanceof ClientError) this.#context.onRenewalFailed(result)
      else this.#context.onRenewed(result)
      this.keepFresh()
    })
    this.#cancelRenewal = cancel
  }

  rest(): void {
    this.#cancelRenewal()
    this.#cancelRenewal = () => undefined
  }

  get #leftMs(): number {
    return this.#present ? this.#present.expiresAt - this.#context.clock.now() : 0
  }

  /** One call of the application's function at a time. */
  #fetch(): Promise<string | ClientError> {
    this.#underWay ??= this.#callFunction().finally(() => {
      this.#underWay = undefined
    })
    return this.#underWay
  }

  async #callFunction(): Promise<string | ClientError> {
    try {
      const token = await this.#context.fetch()
      const fault = faultOf(token)
      if (fault !== undefined) return new ClientError('TOKEN_FAILED', fault)
      this.#present = { token, expiresAt: expiryOf(token) }
      return token
    } catch (cause) {
      return new ClientError('TOKEN_FAILED', 'the token function failed', { cause })
    }
  }
}

/** Why a token cannot be sent, without telling the token. */
function faultOf(token: unknown): string | undefined {
  if (typeof token !== 'string' || token === '') return 'the token function gave no text'
  const [illegal] = ILLEGAL.exec(token) ?? []
  return illegal === undefined ? undefined : `a token must be a WebSocket subprotocol, which cannot have "${illegal}"`
}

/** When a token expires, in milliseconds of the epoch: what the `exp` of a JWT says (RFC 7519 §4.1.4), unverified. */
function expiryOf(token: string): number {
  const [, payload = ''] = token.split('.')
  try {
    const claims: unknown = JSON.parse(atob(payload.replaceAll('-', '+').replaceAll('_', '/')))
    if (typeof claims === 'object' && claims !== null && 'exp' in claims) return Number(claims.exp) * 1000
  } catch {
    // The token is no JWT, and need not be one. Then the server tells by 4401 that it has expired.
  }
  return Number.POSITIVE_INFINITY
}
