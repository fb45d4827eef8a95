import type { IncomingHttpHeaders } from 'node:http'
import type { AuthRequest } from '../auth/grant.ts'

/** A client offers a neutral subprotocol beside its token: to select this one would send the token back. */
const SUBPROTOCOL_PREFIX = 'bearer.'

export interface Asked {
  readonly document: string
  readonly headers: IncomingHttpHeaders
  readonly query: URLSearchParams
  /** The option `authCookie`. */
  readonly cookie: string
  readonly address: string | undefined
}

/** Who asks for a document, as far as the request says. */
export function authRequest({ document, headers, query, cookie, address }: Asked): AuthRequest {
  return { document, token: tokenOf(headers, query, cookie), headers, address, origin: headers.origin }
}

/** The token in a header `Authorization`. */
export function bearerIn(header = ''): string | undefined {
  return /^bearer +(\S+) *$/i.exec(header)?.[1]
}

function tokenOf(headers: IncomingHttpHeaders, query: URLSearchParams, cookie: string): string | undefined {
  const found =
    inSubprotocols(headers['sec-websocket-protocol']) ??
    bearerIn(headers.authorization) ??
    query.get('token') ??
    inCookies(headers.cookie, cookie)
  return found === '' ? undefined : found
}

function inSubprotocols(header = ''): string | undefined {
  const offered = header.split(',').map((protocol) => protocol.trim())
  return offered.find((protocol) => protocol.startsWith(SUBPROTOCOL_PREFIX))?.slice(SUBPROTOCOL_PREFIX.length)
}

function inCookies(header = '', name: string): string | undefined {
  if (name === '') return undefined
  const pairs = header.split(';').map((pair) => pair.trim())
  return pairs.find((pair) => pair.startsWith(`${name}=`))?.slice(name.length + 1)
}
