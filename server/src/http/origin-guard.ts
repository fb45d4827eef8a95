import type { MiddlewareHandler } from 'hono'
import { cors } from 'hono/cors'
import { CoeditError } from '../errors.ts'
import { isOriginAllowed } from './origin.ts'
import type { Env } from './routes.ts'

/**
 * Refuses pages of foreign origins with 403, and lets those that are allowed read the answers (CORS).
 * @param allowed the option `allowedOrigins`
 */
export function guardOrigin(allowed: string): MiddlewareHandler<Env> {
  // Cookies only go along for origins that were named one by one.
  const share = cors({ origin: (origin) => origin, credentials: allowed !== '*' })
  return async (c, next) => {
    if (isOriginAllowed(c.env.incoming.headers, allowed)) return share(c, next)
    throw new CoeditError('FORBIDDEN', 'pages of this origin may not use the server')
  }
}
