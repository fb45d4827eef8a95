import { type Context, Hono } from 'hono'
import type { Authority } from '../auth/authority.ts'
import { type Revocation, revocationSchema } from '../auth/revocations.ts'
import { CoeditError } from '../common/errors.ts'
import type { Log } from '../common/log.ts'
import type { Config } from '../config/config.ts'
import { bearerIn } from './credentials.ts'
import { guardOrigin } from './origin-guard.ts'
import type { Env, Routes } from './routes.ts'

export interface RevocationsContext {
  readonly config: Config
  readonly log: Log
  readonly authority: Authority
}

const PATH = '/api/revocations'

/** The longest id in JSON, where a character may take six bytes. */
const MAX_BODY_BYTES = 128 * 1024

/**
 * `POST /api/revocations`: takes access back, as `CoeditServer.revoke` does. The body is what is revoked, as JSON. 204
 * says that it is in force and durable. The token must allow it, and come as `Authorization: Bearer`: no page can make
 * the browser of somebody else send that.
 */
export function createRevocationRoutes({ config, log, authority }: RevocationsContext): Routes {
  const routes = new Hono<Env>()
  routes.use(PATH, guardOrigin(config))
  routes.post(PATH, async (c) => {
    const { user: by } = await authority.authorizeRevoking(bearerIn(c.req.header('authorization')))
    const revoked = await revocationIn(c)
    await authority.revoke(revoked)
    log.info({ revoked, by }, 'access was taken back')
    return c.body(null, 204)
  })
  return routes
}

/** @throws CoeditError BODY_INVALID */
async function revocationIn(c: Context<Env>): Promise<Revocation> {
  const length = Number(c.req.header('content-length') ?? Number.NaN)
  if (!(length <= MAX_BODY_BYTES)) throw invalid(`expected a content-length of at most ${MAX_BODY_BYTES}`)
  const body: unknown = await c.req.json().catch((cause: unknown) => {
    throw invalid('expected JSON', cause)
  })
  const parsed = revocationSchema.safeParse(body)
  if (!parsed.success) throw invalid('expected one of user, tokenId and document')
  return parsed.data
}

function invalid(problem: string, cause?: unknown): CoeditError {
  return new CoeditError('BODY_INVALID', problem, { cause })
}
