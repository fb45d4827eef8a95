import { errors, type JWTPayload, jwtVerify } from 'jose'
import { z } from 'zod'
import { CoeditError } from '../common/errors.ts'
import type { Clock } from '../common/timing.ts'
import type { Config } from '../config/config.ts'
import type { AuthRequest, Bearer, Holder, Verdict } from './grant.ts'
import { openTokenKey, type TokenKey } from './keys.ts'
import { accessTo, mayDo, mayList, mayReadAll, mayTell, rightsClaim } from './rights.ts'

const claimsSchema = z.object({
  exp: z.number(),
  iat: z.number().optional(),
  sub: z.string().optional(),
  jti: z.string().optional(),
  coedit: rightsClaim.prefault({}),
})

type Claims = z.output<typeof claimsSchema>

/** Checks JSON Web Tokens (RFC 7519) by the one key of the options. */
export class TokenAuthenticator {
  readonly #config: Config
  readonly #clock: Clock
  #key: TokenKey | undefined

  constructor(config: Config, clock: Clock) {
    this.#config = config
    this.#clock = clock
  }

  /** Reads the key. Rejects with OPTION_INVALID. */
  async open(): Promise<void> {
    this.#key = await openTokenKey(this.#config)
  }

  /** What a token allows. Rejects with UNAUTHORIZED for one that is not valid, and with AUTH_UNAVAILABLE. */
  readonly authenticate = async ({ document, token }: AuthRequest): Promise<Verdict> => {
    if (token === undefined) return null
    const claims = await this.#claims(token)
    const access = accessTo(document, claims.coedit)
    return access === 'none' ? { access } : { access, ...this.#bearerOf(claims) }
  }

  /** Whose token it is, whatever document it is for. Rejects as `authenticate` does. */
  readonly identify = async (token: string): Promise<Holder> => {
    const claims = await this.#claims(token)
    return {
      ...this.#bearerOf(claims),
      mayRevoke: claims.coedit.revoke,
      maySeeStatus: claims.coedit.status,
      mayList: (prefix) => mayList(prefix, claims.coedit),
      mayReadAll: (prefix) => mayReadAll(prefix, claims.coedit),
      mayTell: (prefix) => mayTell(prefix, claims.coedit),
      mayDo: (deed, document) => mayDo(deed, document, claims.coedit),
    }
  }

  async #claims(token: string): Promise<Claims> {
    const parsed = claimsSchema.safeParse(await this.#verify(token))
    if (!parsed.success) throw new CoeditError('UNAUTHORIZED', 'the token has claims of the wrong type')
    return parsed.data
  }

  async #verify(token: string): Promise<JWTPayload> {
    if (!this.#key) throw new CoeditError('AUTH_UNAVAILABLE', 'the server is not open yet')
    const { authIssuer, authAudience, authLeewayMs } = this.#config
    try {
      const { payload } = await jwtVerify(token, this.#key.get, {
        algorithms: [...this.#key.algorithms],
        requiredClaims: ['exp'],
        currentDate: new Date(this.#clock.now()),
        clockTolerance: authLeewayMs / 1000,
        ...(authIssuer !== '' && { issuer: authIssuer }),
        ...(authAudience !== '' && { audience: authAudience }),
      })
      return payload
    } catch (error) {
      throw error instanceof CoeditError ? error : new CoeditError('UNAUTHORIZED', reasonOf(error))
    }
  }

  #bearerOf({ exp, iat, sub, jti }: Claims): Bearer {
    const expiresAt = exp * 1000 + this.#config.authLeewayMs
    // What does not say when it was issued counts as older than any revocation.
    return { user: sub, tokenId: jti, issuedAt: (iat ?? 0) * 1000, expiresAt }
  }
}

/** The error itself is not passed on: it holds the claims, and would bring them into the log. */
function reasonOf(error: unknown): string {
  if (error instanceof errors.JWTExpired) return 'the token has expired'
  if (error instanceof errors.JWTClaimValidationFailed) return `the claim ${error.claim} of the token does not fit`
  return 'the token is not valid'
}
