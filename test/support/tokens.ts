import { createHmac, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { SignJWT } from 'jose'

/** What the servers of these tests are given as `authSecret`. */
export const SECRET = 'a secret of 32 bytes and some more'

/** May write to `notes` and to all that begins with `drafts/`, and read what begins with `public/`. */
export const RIGHTS = { write: ['notes', 'drafts/*'], read: ['public/*'] }

export interface TokenOptions {
  /** Default: HS256. */
  readonly alg?: string
  /** Default: SECRET. */
  readonly key?: KeyObject | Uint8Array
  /** Beside `alg`. */
  readonly header?: object
}

/** A token of the user `ada` with RIGHTS that was issued now and is good for an hour, but for the claims given. */
export function token(claims: object = {}, options: TokenOptions = {}): Promise<string> {
  const { alg = 'HS256', key = Buffer.from(SECRET), header = {} } = options
  const now = Math.floor(Date.now() / 1000)
  return new SignJWT({ sub: 'ada', iat: now, exp: now + 3600, coedit: RIGHTS, ...claims })
    .setProtectedHeader({ ...header, alg })
    .sign(key)
}

/** The same, put together by hand for what no library signs: by HMAC, or with a null not at all. */
export function forgedToken(header: object, claims: object = {}, secret: string | null = SECRET): string {
  const now = Math.floor(Date.now() / 1000)
  const body = { sub: 'ada', iat: now, exp: now + 3600, coedit: RIGHTS, ...claims }
  const signed = [header, body].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  const signature = secret === null ? '' : createHmac('sha256', secret).update(signed).digest('base64url')
  return `${signed}.${signature}`
}

export interface PemKeys {
  readonly privateKey: KeyObject
  /** The public key as PEM. */
  readonly pem: string
}

/** A pair of keys for an algorithm of RFC 7518 or RFC 8037. */
export function keysFor(alg: 'RS256' | 'ES256' | 'EdDSA'): PemKeys {
  const { privateKey, publicKey } = pairFor(alg)
  return { privateKey, pem: publicKey.export({ type: 'spki', format: 'pem' }).toString() }
}

function pairFor(alg: 'RS256' | 'ES256' | 'EdDSA') {
  if (alg === 'RS256') return generateKeyPairSync('rsa', { modulusLength: 2048 })
  return alg === 'ES256' ? generateKeyPairSync('ec', { namedCurve: 'P-256' }) : generateKeyPairSync('ed25519')
}
