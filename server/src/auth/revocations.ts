import { z } from 'zod'
import { CoeditError } from '../errors.ts'
import type { Permit } from './grant.ts'

const id = z.string().min(1)
const revocation = z.union([
  z.strictObject({ user: id }),
  z.strictObject({ tokenId: id }),
  z.strictObject({ document: id }),
])

/** What is taken back: all of a user, one token, or everybody's access to one document. */
export type Revocation = z.input<typeof revocation>

/** Revocations remembered one by one. */
const MAX_REVOCATIONS = 100_000

/**
 * What was revoked and when. Nobody knows which tokens are still around, so nothing is ever forgotten in a way that lets
 * one in again: past `limit` the oldest revocation becomes one of everything that was issued before it.
 */
export class Revocations {
  readonly #limit: number
  readonly #times = new Map<string, number>()
  #everythingUntil = Number.NEGATIVE_INFINITY

  constructor(limit = MAX_REVOCATIONS) {
    this.#limit = limit
  }

  /** @throws CoeditError OPTION_INVALID unless exactly one thing is named */
  add(target: Revocation, now: number): void {
    const key = keyOf(target)
    this.#times.delete(key)
    this.#times.set(key, now)
    const [oldest] = this.#times
    if (this.#times.size <= this.#limit || !oldest) return
    this.#times.delete(oldest[0])
    this.#everythingUntil = oldest[1]
  }

  /** Why a permit no longer holds; undefined for one that does. */
  against({ document, user, tokenId, issuedAt }: Permit): CoeditError | undefined {
    const isRevoked =
      (tokenId !== undefined && this.#times.has(key('tokenId', tokenId))) ||
      (user !== undefined && issuedAt <= this.#timeOf(key('user', user))) ||
      issuedAt <= this.#everythingUntil
    if (isRevoked) return new CoeditError('UNAUTHORIZED', 'the access was revoked')
    if (issuedAt > this.#timeOf(key('document', document))) return undefined
    return new CoeditError('FORBIDDEN', 'the access to this document was revoked')
  }

  #timeOf(key: string): number {
    return this.#times.get(key) ?? Number.NEGATIVE_INFINITY
  }
}

function keyOf(target: Revocation): string {
  const parsed = revocation.safeParse(target)
  if (!parsed.success) throw new CoeditError('OPTION_INVALID', 'revoke: expected one of user, tokenId and document')
  const [[kind, value] = ['', '']] = Object.entries(parsed.data)
  return key(kind, value)
}

function key(kind: string, value: string): string {
  return `${kind} ${value}`
}
