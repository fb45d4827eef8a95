import type { IncomingHttpHeaders } from 'node:http'
import { CoeditError } from '../common/errors.ts'
import { isLoopback } from '../common/loopback.ts'
import { originsIn } from '../common/origins.ts'
import type { Config } from '../config/config.ts'

/** All origins that the options name: `*`, or a list with commas that may be empty. */
export function namedOrigins({ allowedOrigins, publicOrigin }: Config): string {
  if (allowedOrigins === '*') return '*'
  return [allowedOrigins, publicOrigin].filter((origins) => origins !== '').join(',')
}

/** Why a request is refused that names this origin and this host: FORBIDDEN; undefined for one that is answered. */
export function checkOrigin(headers: IncomingHttpHeaders, config: Config): CoeditError | undefined {
  if (isOriginAllowed(headers, namedOrigins(config))) return undefined
  return new CoeditError(
    'FORBIDDEN',
    'pages of this origin may not use the server: have the proxy pass on the host that they ask for, or name the origin ' +
      '(--public-origin, --allowed-origins)',
  )
}

/**
 * Whether a page may talk to the server. Browsers let any page open a WebSocket to any host, cookies included, and only
 * say from which origin it comes (RFC 6455 §10.2); programs beside browsers say nothing, and gain nothing by lying.
 *
 * Schemes are not compared: behind a proxy the server does not know its own. Pages on the same machine as the server may
 * be on any port of it, as development servers are.
 *
 * @param allowed `*`, or origins with commas between them
 */
export function isOriginAllowed({ origin, host = '' }: IncomingHttpHeaders, allowed: string): boolean {
  if (origin === undefined || allowed === '*') return true
  if (originsIn(allowed).includes(origin)) return true
  if (!URL.canParse(origin)) return false
  const page = new URL(origin)
  // Pages from files have no host, and under their scheme `localhost` is not one either.
  if (page.host === '') return false
  const address = `${page.protocol}//${host}`
  if (!URL.canParse(address)) return false
  // Both are parsed alike, so that a port which is the default of the scheme counts as none on both sides.
  const server = new URL(address)
  return page.host === server.host || (isLoopback(page.hostname) && isLoopback(server.hostname))
}
