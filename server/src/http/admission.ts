import type { IncomingMessage } from 'node:http'
import type { Authority } from '../auth/authority.ts'
import type { AuthRequest, Permit } from '../auth/grant.ts'
import type { Lease, OnAccess, OnEnd } from '../auth/lease.ts'
import { TrustedProxies } from '../common/addresses.ts'
import { CoeditError } from '../common/errors.ts'
import { Quota } from '../common/quota.ts'
import type { Config } from '../config/config.ts'
import { checkName } from '../protocol/wire/document-name.ts'
import { authRequest } from './credentials.ts'
import type { CheckHost } from './host.ts'
import { checkOrigin } from './origin.ts'

/** The socket of a WebSocket, or an answer. Whatever its visitor has is given back when it closes. */
export interface Line {
  readonly destroyed: boolean
  once(event: 'close', listener: () => void): unknown
}

/** Somebody who asks for a document. */
export interface Visitor {
  readonly line: Line
  readonly query: URLSearchParams
  readonly request: AuthRequest
}

export interface AdmissionContext {
  readonly config: Config
  readonly authority: Authority
  readonly checkHost: CheckHost
}

/** Lets visitors into documents, be it for a WebSocket or for an event stream. */
export class Admission {
  readonly #context: AdmissionContext
  readonly #proxies: TrustedProxies
  readonly #addresses: Quota
  readonly #users: Quota
  readonly #documents: Quota
  #size = 0

  constructor(context: AdmissionContext) {
    const { config } = context
    this.#context = context
    this.#proxies = new TrustedProxies(config.trustProxy)
    this.#addresses = new Quota(config.maxConnectionsPerAddress)
    this.#users = new Quota(config.maxConnectionsPerUser)
    this.#documents = new Quota(config.maxConnectionsPerDocument)
  }

  /** How many are let into a document. */
  get size(): number {
    return this.#size
  }

  /** Whether there are visitors who are not let in without a token. */
  get asksForTokens(): boolean {
    return !this.#context.authority.admitsEverybody
  }

  /**
   * Takes a place for the address, before anything else is done for it.
   * @throws CoeditError HOST_UNKNOWN, FORBIDDEN, TOO_MANY_CONNECTIONS
   */
  knock({ headers, socket, url = '' }: IncomingMessage, line: Line, document: string): Visitor {
    const { config, checkHost } = this.#context
    const refusal = checkHost(headers.host) ?? checkOrigin(headers, config)
    if (refusal) throw refusal
    // Node joins repeated headers, but types them as if it did not.
    const address = this.#proxies.client(socket.remoteAddress, headers['x-forwarded-for']?.toString())
    if (!this.#addresses.hasPlace(address)) throw tooMany('the address has')
    this.#takeAddress(address, line)
    const query = new URLSearchParams(/\?(.*)/s.exec(url)?.[1])
    return { line, query, request: authRequest({ document, headers, query, cookie: config.authCookie, address }) }
  }

  /**
   * Lets a visitor in until the line closes or the lease ends. Resolves with undefined where the line has closed before.
   * Rejects with DOCUMENT_NAME, UNAUTHORIZED, FORBIDDEN, AUTH_UNAVAILABLE or TOO_MANY_CONNECTIONS.
   * @param onEnd may be called before the caller has the lease
   * @param onAccess default: the lease ends where a renewal allows something else
   */
  async admit({ line, request }: Visitor, onEnd: OnEnd, onAccess?: OnAccess): Promise<Lease | undefined> {
    const { config, authority } = this.#context
    checkName(request.document, config.maxNameBytes)
    return this.#hold({ line, request }, await authority.authorize(request), onEnd, onAccess)
  }

  /**
   * The same for whoever is told of all names that begin with what was asked for, and what is in those documents where it
   * `reads` them. Rejects with all but DOCUMENT_NAME.
   */
  async admitListing({ line, request }: Visitor, onEnd: OnEnd, reads: boolean): Promise<Lease | undefined> {
    const permit = await this.#context.authority.authorizeListing(request.token, request.document, reads)
    return this.#hold({ line, request }, permit, onEnd)
  }

  #hold(
    { line, request }: Pick<Visitor, 'line' | 'request'>,
    permit: Permit,
    onEnd: OnEnd,
    onAccess?: OnAccess,
  ): Lease | undefined {
    if (line.destroyed) return undefined
    const { user } = permit
    const document = documentOf(permit)
    if (!this.#users.hasPlace(user) || !this.#documents.hasPlace(document)) {
      throw tooMany('the document or the user has')
    }
    let lease: Lease | undefined
    this.#users.take(user)
    this.#documents.take(document)
    line.once('close', () => {
      this.#users.giveBack(user)
      this.#documents.giveBack(document)
      if (!lease) return
      this.#size -= 1
      lease.release()
    })
    lease = this.#context.authority.hold(permit, request, onEnd, onAccess)
    this.#size += 1
    return lease
  }

  /** Until the line closes; one that has closed already would never say so. */
  #takeAddress(address: string | undefined, line: Line): void {
    if (address === undefined || line.destroyed) return
    this.#addresses.take(address)
    line.once('close', () => this.#addresses.giveBack(address))
  }
}

/** Undefined for a permit that is for none. */
function documentOf({ document }: Permit): string | undefined {
  return document === '' ? undefined : document
}

function tooMany(whoHas: string): CoeditError {
  return new CoeditError('TOO_MANY_CONNECTIONS', `${whoHas} as many connections as it may have`)
}
