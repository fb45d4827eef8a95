import { CoeditError } from '../common/errors.ts'
import { type Cancel, type Clock, MAX_DELAY_MS } from '../common/timing.ts'
import type { AuthRequest, Permit } from './grant.ts'

/**
 * Called once when a permit ends by itself; not after `release`.
 * @param delayMs how long the peer is not told yet
 */
export type OnEnd = (reason: CoeditError, delayMs: number) => void

/** Called when a renewal allows something else than before. */
export type OnAccess = (access: Permit['access']) => void

/** Who gives leases. */
export interface Lessor {
  readonly clock: Clock
  /** Asks what another token allows. */
  authorize(request: AuthRequest): Promise<Permit>
  /** Called once, however the lease ends. */
  over(lease: Lease): void
}

export interface LeaseContext extends Pick<AuthRequest, 'address' | 'origin'> {
  readonly lessor: Lessor
  /** By which it can be ended. */
  readonly id: number
  readonly onEnd: OnEnd
  /** Default: a permit that allows something else ends the lease. */
  readonly onAccess?: OnAccess | undefined
}

/** Who holds a permit, from where, and since when, in milliseconds of the epoch. */
export interface LeaseFacts extends Pick<Permit, 'user' | 'access'>, Pick<LeaseContext, 'id' | 'address'> {
  readonly since: number
}

/** A permit for as long as a connection or a stream lives: ends it when its time is over, unless it is renewed. */
export class Lease {
  readonly #context: LeaseContext
  readonly #since: number
  #permit: Permit
  #isOver = false
  #cancelExpiry: Cancel | undefined
  /** The last token that came while another one was being checked. */
  #nextToken: string | undefined
  #isRenewing = false

  constructor(permit: Permit, context: LeaseContext) {
    this.#permit = permit
    this.#context = context
    this.#since = context.lessor.clock.now()
  }

  get permit(): Permit {
    return this.#permit
  }

  /** For those who may see who is there. */
  get facts(): LeaseFacts {
    const { id, address } = this.#context
    const { user, access } = this.#permit
    return { id, user, access, address, since: this.#since }
  }

  get isOver(): boolean {
    return this.#isOver
  }

  start(): void {
    const { clock } = this.#context.lessor
    const leftMs = this.#permit.expiresAt - clock.now()
    if (leftMs === Number.POSITIVE_INFINITY) return
    if (leftMs <= 0) this.end(new CoeditError('UNAUTHORIZED', 'the token has expired'))
    else this.#cancelExpiry = clock.after(Math.min(leftMs, MAX_DELAY_MS), () => this.start())
  }

  /**
   * Goes on under another token of the same user. One that is not valid ends the lease, as does one that allows
   * something else, unless its holder can change with it: ACCESS_CHANGED. Of several that come at once only the last is looked at.
   */
  renew(token: string): void {
    this.#nextToken = token
    if (!this.#isRenewing) void this.#renewAll()
  }

  end(reason: CoeditError, delayMs = 0): void {
    if (this.#isOver) return
    this.release()
    this.#context.onEnd(reason, delayMs)
  }

  /** To be called when its holder is gone. */
  release(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#cancelExpiry?.()
    this.#context.lessor.over(this)
  }

  async #renewAll(): Promise<void> {
    this.#isRenewing = true
    for (let token = this.#takeToken(); token !== undefined; token = this.#takeToken()) await this.#renewOnce(token)
    this.#isRenewing = false
  }

  #takeToken(): string | undefined {
    const token = this.#isOver ? undefined : this.#nextToken
    this.#nextToken = undefined
    return token
  }

  async #renewOnce(token: string): Promise<void> {
    try {
      const { lessor, address, origin } = this.#context
      const { document } = this.#permit
      this.#replace(await lessor.authorize({ document, token, headers: {}, address, origin }))
    } catch (error) {
      if (!(error instanceof CoeditError)) throw error
      // Nothing was said about the token: the present one serves until it expires.
      if (error.code !== 'AUTH_UNAVAILABLE') this.end(error)
    }
  }

  #replace(permit: Permit): void {
    if (this.#isOver) return
    if (permit.user !== this.#permit.user) throw new CoeditError('UNAUTHORIZED', 'the token is of another user')
    const { onAccess } = this.#context
    const isChanged = permit.access !== this.#permit.access
    if (isChanged && !onAccess) {
      throw new CoeditError('ACCESS_CHANGED', 'the token allows another access; come back with it')
    }
    this.#permit = permit
    this.#cancelExpiry?.()
    this.start()
    if (isChanged) onAccess?.(permit.access)
  }
}
