import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createRemoteJWKSet, errors, type JWTVerifyGetKey } from 'jose'
import { CoeditError } from '../common/errors.ts'
import type { Config } from '../config/config.ts'

/** What tokens are checked by. The kind of key alone says which algorithms may be named in a token. */
export interface TokenKey {
  readonly algorithms: readonly string[]
  readonly get: JWTVerifyGetKey
}

const OF_RSA = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']
const OF_ED25519 = ['EdDSA', 'Ed25519']
const OF_CURVES: Readonly<Record<string, string>> = { prime256v1: 'ES256', secp384r1: 'ES384', secp521r1: 'ES512' }

/** RFC 7518 §3.3. */
const MIN_RSA_BITS = 2048

/** Rejects with OPTION_INVALID where the public key cannot be read or is not one. */
export async function openTokenKey({ authSecret, authPublicKey, authJwksUrl }: Config): Promise<TokenKey> {
  if (authSecret !== '') return fixed(createSecretKey(Buffer.from(authSecret)), ['HS256'])
  if (authJwksUrl !== '') return remote(new URL(authJwksUrl))
  const key = publicKey(authPublicKey.includes('-----BEGIN') ? authPublicKey : await read(authPublicKey))
  return fixed(key, algorithmsOf(key))
}

function fixed(key: KeyObject, algorithms: readonly string[]): TokenKey {
  return { algorithms, get: async () => key }
}

/** A set is fetched when it is first needed, and again for a key it does not hold, at most every 30 s. */
function remote(url: URL): TokenKey {
  const find = createRemoteJWKSet(url)
  const get: JWTVerifyGetKey = async (header, token) => {
    try {
      return await find(header, token)
    } catch (error) {
      if (isAboutToken(error)) throw error
      throw new CoeditError('AUTH_UNAVAILABLE', 'the keys of the identity provider cannot be had', { cause: error })
    }
  }
  return { algorithms: [...OF_RSA, ...Object.values(OF_CURVES), ...OF_ED25519], get }
}

/** Whether the set is there, and holds no key for what the token names. */
function isAboutToken(error: unknown): boolean {
  return (
    error instanceof errors.JWKSNoMatchingKey ||
    error instanceof errors.JWKSMultipleMatchingKeys ||
    error instanceof errors.JOSENotSupported
  )
}

async function read(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    throw invalid('cannot be read: expected PEM, or the path of a file that holds it', cause)
  }
}

function publicKey(pem: string): KeyObject {
  // From a private key Node would derive the public one; where the server has the former, somebody made a mistake.
  if (pem.includes('PRIVATE KEY')) throw invalid('is a private key: expected the public one')
  try {
    return createPublicKey(pem)
  } catch (cause) {
    throw invalid('is no key: expected a public key as PEM', cause)
  }
}

function algorithmsOf({ asymmetricKeyType, asymmetricKeyDetails = {} }: KeyObject): readonly string[] {
  const { modulusLength = 0, namedCurve = '' } = asymmetricKeyDetails
  const curve = OF_CURVES[namedCurve]
  if (asymmetricKeyType === 'rsa' && modulusLength >= MIN_RSA_BITS) return OF_RSA
  if (asymmetricKeyType === 'ed25519') return OF_ED25519
  if (asymmetricKeyType === 'ec' && curve !== undefined) return [curve]
  throw invalid(
    `is of no use for tokens: expected RSA of at least ${MIN_RSA_BITS} bits, P-256, P-384, P-521 or Ed25519`,
  )
}

/** Neither key nor path is told: it may be a secret that was given in the wrong place. */
function invalid(problem: string, cause?: unknown): CoeditError {
  return new CoeditError('OPTION_INVALID', `authPublicKey ${problem}`, cause === undefined ? undefined : { cause })
}
