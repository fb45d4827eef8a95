import { CoeditError, hasCode } from '../common/errors.ts'
import type { Log } from '../common/log.ts'
import { Serial } from '../common/serial.ts'
import { type Clock, withDeadline } from '../common/timing.ts'
import type { Config } from '../config/config.ts'
import type { Unfollow } from '../storage/document-store.ts'
import type { RevocationStore } from '../storage/revocation-store.ts'
import { type Authenticate, type AuthRequest, admitEverybody, type Bearer, type Holder, type Permit } from './grant.ts'
import { Lease, type LeaseFacts, type Lessor, type OnAccess, type OnEnd } from './lease.ts'
import { type Revocation, Revocations } from './revocations.ts'
import type { Deed } from './rights.ts'
import { permitOf } from './verdict.ts'

/**
 * Who is told of a revocation asks for another token at once. Tokens say in whole seconds when they were issued, so one
 * of the same second could not be told from those that were revoked.
 */
const TOLD_AFTER_MS = 1_000
/** As much as Node takes of headers in all; usual tokens are a tenth of it. */
const MAX_TOKEN_LENGTH = 16 * 1024

const ANYBODY = { user: undefined, tokenId: undefined, expiresAt: Number.POSITIVE_INFINITY }

export interface AuthorityContext {
  readonly config: Config
  readonly clock: Clock
  readonly log: Log
  readonly authenticate: Authenticate
  /** Whose token it is. Default: nobody may revoke by a token. */
  readonly identify?: ((token: string) => Promise<Holder>) | undefined
  /** Where revocations are kept. */
  readonly storage: RevocationStore
}

/** Says who may do what, and takes it back: the one place that every connection, stream and request passes. */
export class Authority {
  readonly #context: AuthorityContext
  readonly #revocations = new Revocations()
  readonly #leases = new Set<Lease>()
  readonly #lessor: Lessor
  #lastLease = 0
  readonly #readings = new Serial()
  #unfollow: Unfollow | undefined
  #isReadingDue = false
  #isOpen = false

  constructor(context: AuthorityContext) {
    this.#context = context
    this.#lessor = {
      clock: context.clock,
      authorize: (request) => this.authorize(request),
      over: (lease) => this.#leases.delete(lease),
    }
  }

  /** Whether there is nobody to be kept out. */
  get admitsEverybody(): boolean {
    return this.#context.authenticate === admitEverybody
  }

  /** Learns what was revoked before; until then nobody is let in. Rejects as `RevocationStore.loadRevocations` does. */
  async open(): Promise<void> {
    const { storage } = this.#context
    // What is stored from now on is told, and read again.
    this.#unfollow = storage.followRevocations?.(() => this.#readAgain())
    this.#revocations.restore(await storage.loadRevocations())
    this.#isOpen = true
  }

  /** Other servers are not listened to any more. */
  close(): void {
    this.#unfollow?.()
  }

  /**
   * What somebody may do with a document. Rejects with UNAUTHORIZED, FORBIDDEN or, where that cannot be found out in
   * time, AUTH_UNAVAILABLE.
   */
  async authorize(request: AuthRequest): Promise<Permit> {
    const { document, token } = request
    return this.#decide(token, { document }, async (askedAt) => {
      const permit = permitOf(await this.#inTime(() => this.#context.authenticate(request)), document, askedAt)
      this.#check(permit)
      return permit
    })
  }

  /** Who may revoke by this token. Rejects as `authorize` does. */
  async authorizeRevoking(token: string | undefined): Promise<Holder> {
    const holder = await this.#holderOf(token)
    if (!holder.mayRevoke) throw new CoeditError('FORBIDDEN', 'the token does not allow to revoke')
    return holder
  }

  /**
   * Lets somebody be told of all names that begin so; where nobody is asked for a token, everybody. Resolves with a permit that can
   * be held, and is for no document. Rejects as `authorize` does.
   * @param reads whether it is told what is in them as well
   */
  async authorizeListing(token: string | undefined, prefix: string, reads = false): Promise<Permit> {
    const permit = { document: '', access: 'read' } as const
    if (this.admitsEverybody) return { ...permit, ...ANYBODY, issuedAt: this.#context.clock.now() }
    const { user, tokenId, issuedAt, expiresAt, mayList, mayReadAll } = await this.#holderOf(token)
    if (!mayList(prefix)) throw new CoeditError('FORBIDDEN', 'the token does not allow to list these documents')
    if (reads && !mayReadAll(prefix)) {
      throw new CoeditError('FORBIDDEN', 'the token does not allow to read all of these documents')
    }
    return { ...permit, user, tokenId, issuedAt, expiresAt }
  }

  /** Lets somebody see how the server is doing; where nobody is asked for a token, everybody. Rejects as `authorize` does. */
  async authorizeStatus(token: string | undefined): Promise<void> {
    if (this.admitsEverybody) return
    const holder = await this.#holderOf(token)
    if (!holder.maySeeStatus) throw new CoeditError('FORBIDDEN', 'the token does not allow to see the status')
  }

  /**
   * Lets somebody make or delete a document; where nobody is asked for a token, everybody. Resolves with who it is, where
   * that is known. Rejects as `authorize` does.
   */
  async authorizeDeed(token: string | undefined, deed: Deed, document: string): Promise<string | undefined> {
    if (this.admitsEverybody) return undefined
    const holder = await this.#holderOf(token, { document })
    if (!holder.mayDo(deed, document)) throw new CoeditError('FORBIDDEN', `the token does not allow to ${deed} this`)
    return holder.user
  }

  /**
   * Lets somebody administrate webhooks; where nobody is asked for a token, everybody. Resolves with whether that goes for those of
   * documents whose names begin so. Rejects as `authorize` does.
   */
  async authorizeWebhooks(token: string | undefined): Promise<(prefix: string) => boolean> {
    if (this.admitsEverybody) return () => true
    const holder = await this.#holderOf(token)
    return (prefix) => holder.mayTell(prefix)
  }

  /** Lets somebody disconnect others: who may revoke; where nobody is asked for a token, everybody. */
  async authorizeDisconnecting(token: string | undefined): Promise<void> {
    if (!this.admitsEverybody) await this.authorizeRevoking(token)
  }

  /** Ends what everybody, or this user alone, holds of a document. They may come back. */
  disconnect(document: string, user: string | undefined): void {
    this.#disconnect(document, ({ permit }) => user === undefined || permit.user === user)
  }

  /** Ends the one that `holders` tells under this id, if it is still there. */
  disconnectOne(document: string, id: number): void {
    this.#disconnect(document, ({ facts }) => facts.id === id)
  }

  /** Who holds something of a document at this server: of all, the first so many. */
  holders(document: string, limit: number): readonly LeaseFacts[] {
    const found: LeaseFacts[] = []
    for (const lease of this.#leases) {
      if (found.length === limit) break
      if (lease.permit.document === document) found.push(lease.facts)
    }
    return found
  }

  #disconnect(document: string, isMeant: (lease: Lease) => boolean): void {
    for (const lease of [...this.#leases]) {
      if (lease.permit.document !== document || !isMeant(lease)) continue
      lease.end(new CoeditError('DISCONNECTED', 'the server was asked to disconnect; come back'))
    }
  }

  async #holderOf(token: string | undefined, of: Partial<Pick<Permit, 'document'>> = {}): Promise<Holder> {
    const { identify } = this.#context
    if (!identify || !token) throw new CoeditError('UNAUTHORIZED', 'there is no valid token')
    return this.#decide(token, of, async (askedAt) => {
      const holder = await this.#inTime(() => identify(token))
      // The issuer's clock may run ahead, as in permitOf.
      this.#check({ ...holder, ...of, issuedAt: Math.min(holder.issuedAt, askedAt) })
      return holder
    })
  }

  /**
   * Holds a permit until its holder releases it. `onEnd` is called when it ends before: UNAUTHORIZED or FORBIDDEN, or
   * ACCESS_CHANGED by a renewal, unless there is `onAccess`.
   * @throws CoeditError UNAUTHORIZED or FORBIDDEN where it has ended since it was given
   */
  hold(permit: Permit, { address, origin }: AuthRequest, onEnd: OnEnd, onAccess?: OnAccess): Lease {
    this.#check(permit)
    const lease = new Lease(permit, {
      lessor: this.#lessor,
      id: ++this.#lastLease,
      address,
      origin,
      onEnd,
      onAccess,
    })
    this.#leases.add(lease)
    lease.start()
    return lease
  }

  /**
   * Is in force when it returns, and durable when it resolves. Rejects with OPTION_INVALID unless exactly one thing is
   * named, and with STORAGE_CLOSED.
   */
  async revoke(target: Revocation): Promise<void> {
    const { stored, forgotten } = this.#revocations.add(target, this.#context.clock.now())
    this.#endRevoked()
    await this.#context.storage.storeRevocations(stored, forgotten)
  }

  #endRevoked(): void {
    for (const lease of [...this.#leases]) {
      const reason = this.#revocations.against(lease.permit)
      if (reason) lease.end(reason, TOLD_AFTER_MS)
    }
  }

  /** Learns what other servers have revoked. */
  #readAgain(): void {
    if (this.#isReadingDue) return
    this.#isReadingDue = true
    const reading = this.#readings.run(async () => {
      this.#isReadingDue = false
      this.#revocations.restore(await this.#context.storage.loadRevocations())
      this.#endRevoked()
    })
    reading.catch((error: unknown) => {
      if (!hasCode(error, 'STORAGE_CLOSED')) this.#context.log.error({ err: error }, 'revocations could not be read')
    })
  }

  /** Refusals are passed on; whatever else goes wrong is told to the log alone. */
  async #decide<T>(token = '', facts: object, decide: (askedAt: number) => Promise<T>): Promise<T> {
    if (token.length > MAX_TOKEN_LENGTH) throw new CoeditError('UNAUTHORIZED', 'the token is too long')
    if (!this.#isOpen) throw new CoeditError('AUTH_UNAVAILABLE', 'the server is not open yet; come back later')
    try {
      return await decide(this.#context.clock.now())
    } catch (error) {
      if (error instanceof CoeditError && isRefusal(error)) throw error
      this.#context.log.error({ err: error, ...facts }, 'authentication failed')
      throw new CoeditError('AUTH_UNAVAILABLE', 'access cannot be checked at present; come back later')
    }
  }

  /** Resolves with the answer; rejects when it takes too long. */
  #inTime<T>(ask: () => T | Promise<T>): Promise<T> {
    const { clock, config } = this.#context
    return withDeadline(clock, config.authTimeoutMs, ask, () => {
      throw new CoeditError('AUTH_UNAVAILABLE', `no answer came within ${config.authTimeoutMs} ms`)
    })
  }

  #check(bearer: Bearer & Partial<Permit>): void {
    if (bearer.expiresAt <= this.#context.clock.now()) throw new CoeditError('UNAUTHORIZED', 'the token has expired')
    const reason = this.#revocations.against(bearer)
    if (reason) throw reason
  }
}

function isRefusal({ code }: CoeditError): boolean {
  return code === 'UNAUTHORIZED' || code === 'FORBIDDEN'
}
