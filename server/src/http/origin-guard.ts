import type { MiddlewareHandler } from 'hono'
import { cors } from 'hono/cors'
import type { Config } from '../config/config.ts'
import { checkOrigin } from './origin.ts'
import type { Env } from './routes.ts'

/** Refuses pages of foreign origins with 403, and lets those that are allowed read the answers (CORS). */
export function guardOrigin(config: Config): MiddlewareHandler<Env> {
  // Cookies only go along for origins that were named one by one.
  const share = cors({ origin: (origin) => origin, credentials: config.allowedOrigins !== '*' })
  return async (c, next) => {
    const refusal = checkOrigin(c.env.incoming.headers, config)
    if (refusal) throw refusal
    return share(c, next)
  }
}
