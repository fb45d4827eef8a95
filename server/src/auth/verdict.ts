import { z } from 'zod'
import { CoeditError } from '../common/errors.ts'
import type { Permit } from './grant.ts'

const verdictSchema = z
  .union([
    z.object({ access: z.literal('none') }),
    z.object({
      access: z.enum(['read', 'write']),
      user: z.string().optional(),
      tokenId: z.string().optional(),
      issuedAt: z.number().optional(),
      expiresAt: z.number().optional(),
    }),
  ])
  .nullable()

/**
 * The permit in a verdict, which an application may have given without types.
 * @param askedAt milliseconds of the epoch
 * @throws CoeditError UNAUTHORIZED, FORBIDDEN; AUTH_UNAVAILABLE for what is no verdict
 */
export function permitOf(verdict: unknown, document: string, askedAt: number): Permit {
  const parsed = verdictSchema.safeParse(verdict)
  if (!parsed.success) throw new CoeditError('AUTH_UNAVAILABLE', 'authenticate answered neither a grant nor null')
  const grant = parsed.data
  if (grant === null) throw new CoeditError('UNAUTHORIZED', 'there is no valid token')
  if (grant.access === 'none') throw new CoeditError('FORBIDDEN', 'this document is not allowed')
  const { access, user, tokenId, issuedAt = askedAt, expiresAt = Number.POSITIVE_INFINITY } = grant
  // By a clock that runs ahead a token would seem to be younger than a revocation that follows it.
  return { document, access, user, tokenId, issuedAt: Math.min(issuedAt, askedAt), expiresAt }
}
