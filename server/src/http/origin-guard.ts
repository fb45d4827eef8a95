import type { MiddlewareHandler } from 'hono'
import { cors } from 'hono/cors'
import type { Config } from '../config/config.ts'
import { checkOrigin } from './origin.ts'
import type { Env } from './routes.ts'

/** Refuses pages of foreign origins with 403, and lets those that are allowed read the answers (CORS). */
export function guardOrigin(config: Config): MiddlewareHandler<Env> {
  // Cookies only go along for origins that were named one by one.
  const share = cors({
    origin: (origin) => origin,
    credentials: config.allowedOrigins !== '*',
    exposeHeaders: ['ETag', 'X-Request-Id'],
  })
  return async (c, next) => {
    const { incoming, outgoing } = c.env
    const refusal = checkOrigin(incoming.headers, config)
    if (refusal) throw refusal
    if (incoming.headers.origin !== undefined) return share(c, next)
    // It is no page that asks, but a cache must not give the answer to one all the same.
    outgoing.setHeader('vary', 'Origin')
    return next()
  }
}
