import { CoeditError } from '../common/errors.ts'
import { isLoopback } from '../common/loopback.ts'
import { webHostsIn } from '../common/origins.ts'
import type { Config } from '../config/config.ts'
import { namedOrigins } from './origin.ts'

/** Why a request that names this host is refused: HOST_UNKNOWN; undefined for one that is answered. */
export type CheckHost = (host: string | undefined) => CoeditError | undefined

/** RFC 9110 §7.2: a name or an IP address, and a port that is of no interest. */
const HOST = /^([\w.-]+|\[[\da-f:.]+\])(?::\d*)?$/i

/**
 * Keeps out pages that have their own host name lead to this machine (DNS rebinding): their browser takes the server for
 * a part of their own origin, and so does `isOriginAllowed`. Only the name itself, which no page can change, tells.
 * Where the server asks for tokens, such a page has none, nor the cookie that belongs to another name.
 *
 * @param asksForTokens whether anything but the host keeps a stranger's page out
 */
export function checkHostFor(config: Config, asksForTokens: boolean): CheckHost {
  const origins = namedOrigins(config)
  if (asksForTokens || config.insecureNoAuth || origins === '*') return () => undefined
  const named = webHostsIn(origins)
  return (host = '') => {
    const name = HOST.exec(host)?.[1]?.toLowerCase() ?? ''
    return isLoopback(name) || named.includes(name) ? undefined : unknown(host)
  }
}

function unknown(host: string): CoeditError {
  return new CoeditError(
    'HOST_UNKNOWN',
    `the host '${host}' is not served, as nobody is asked for a token: name it as an origin ` +
      '(--public-origin https://HOST or --allowed-origins), give a key for tokens (--auth-jwks-url, --auth-public-key or --auth-secret), ' +
      'or accept the risk with --insecure-no-auth',
  )
}
