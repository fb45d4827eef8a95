import type { IncomingHttpHeaders } from 'node:http'
import type { Deed } from './rights.ts'

/** Somebody who asks for a document. */
export interface AuthRequest {
  readonly document: string
  /**
   * What came as the subprotocol `bearer.TOKEN`, as `Authorization: Bearer TOKEN`, as `?token=TOKEN` or in the cookie
   * that the option `authCookie` names: the first of these that is there.
   */
  readonly token: string | undefined
  /** Of the HTTP request; empty when the token is renewed on an open connection. */
  readonly headers: Readonly<IncomingHttpHeaders>
  /** Whose limits count, see the option `trustProxy`; undefined for this machine's own. */
  readonly address: string | undefined
  /** Of the page that asks; programs beside browsers send none. */
  readonly origin: string | undefined
}

/** What somebody may do with the document that was asked for. */
export interface Grant {
  readonly access: 'read' | 'write'
  /** Who it is. Connections of the same user take over each other's presence. Default: nobody in particular. */
  readonly user?: string | undefined
  /** By which this grant alone can be revoked. */
  readonly tokenId?: string | undefined
  /** Milliseconds of the epoch; a later revocation holds for it. Default: when the document was asked for. */
  readonly issuedAt?: number | undefined
  /** Milliseconds of the epoch at which the connection is closed with 4401. Default: never. */
  readonly expiresAt?: number | undefined
}

/** `null` is for those who have not said who they are (4401, HTTP 401), `none` for who may not do this (4403, 403). */
export type Verdict = Grant | { readonly access: 'none' } | null

/**
 * Decides who may do what. It is asked for each connection and each HTTP request, and again when a token is renewed. One
 * that throws, or takes longer than the option `authTimeoutMs`, lets nobody in: clients are told to come back later
 * (1013, HTTP 503).
 */
export type Authenticate = (request: AuthRequest) => Verdict | Promise<Verdict>

/** Who brought a token, and for how long it is good: from when it was issued, unless it was revoked since. */
export interface Bearer {
  readonly user: string | undefined
  readonly tokenId: string | undefined
  /** Milliseconds of the epoch. */
  readonly issuedAt: number
  /** Milliseconds of the epoch; infinite for one that does not expire. */
  readonly expiresAt: number
}

/** What a token says beside which documents it is for. */
export interface Holder extends Bearer {
  /** Whether it may take access back, over HTTP. */
  readonly mayRevoke: boolean
  /** Whether it may see how the server is doing. */
  readonly maySeeStatus: boolean
  /** Whether it may be told of all documents whose names begin so. */
  mayList(prefix: string): boolean
  /** Whether it may have others told of all documents whose names begin so. */
  mayTell(prefix: string): boolean
  /** Whether it may read all documents whose names begin so. */
  mayReadAll(prefix: string): boolean
  mayDo(deed: Deed, document: string): boolean
}

/** A grant for one document, with all defaults filled in. */
export interface Permit extends Bearer {
  readonly document: string
  readonly access: 'read' | 'write'
}

/** Without authentication everybody may do everything. */
export const admitEverybody: Authenticate = () => ({ access: 'write' })
