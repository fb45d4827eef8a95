import { z } from 'zod'
import { CoeditError } from '../common/errors.ts'
import type { StoredRevocation } from '../storage/revocation-store.ts'
import type { Bearer, Permit } from './grant.ts'

/** As much as Node takes of headers in all: no token names anything longer. */
const MAX_ID_LENGTH = 16 * 1024

const id = z.string().min(1).max(MAX_ID_LENGTH)

export const revocationSchema = z.union([
  z.strictObject({ user: id }),
  z.strictObject({ tokenId: id }),
  z.strictObject({ document: id }),
])

/** What is taken back: all of a user, one token, or everybody's access to one document. */
export type Revocation = z.input<typeof revocationSchema>

/** Revocations remembered one by one. */
const MAX_REVOCATIONS = 100_000

/** What a revocation changes in what is stored. */
export interface RevocationChange {
  readonly stored: readonly StoredRevocation[]
  readonly forgotten: readonly string[]
}

/**
 * What was revoked and when. Nobody knows which tokens are still around, nor how long they are good, so nothing is ever
 * forgotten in a way that lets one in again: past `limit` the oldest revocation becomes one of everything that was issued
 * before it.
 */
export class Revocations {
  readonly #limit: number
  /** By target, the oldest first. */
  readonly #times = new Map<string, number>()
  #everythingUntil = Number.NEGATIVE_INFINITY

  constructor(limit = MAX_REVOCATIONS) {
    this.#limit = limit
  }

  /** Takes over what is stored, the oldest first. What was taken back here and is not stored yet stays so. */
  restore(stored: readonly StoredRevocation[]): void {
    const times = new Map<string, number>()
    for (const { target, time } of stored) {
      if (target === null) this.#everythingUntil = Math.max(this.#everythingUntil, time)
      else times.set(target, Math.max(time, this.#timeOf(target)))
    }
    for (const [target, time] of this.#times) {
      // What others have forgotten is a part of everything now.
      if (!times.has(target) && time > this.#everythingUntil) times.set(target, time)
    }
    this.#times.clear()
    for (const [target, time] of [...times].sort(([, a], [, b]) => a - b)) this.#times.set(target, time)
  }

  /** @throws CoeditError OPTION_INVALID unless exactly one thing is named */
  add(revoked: Revocation, now: number): RevocationChange {
    const target = targetOf(revoked)
    // A clock that was put back must not let in again what was issued in between.
    const time = Math.max(now, this.#timeOf(target))
    this.#times.delete(target)
    this.#times.set(target, time)
    const forgotten = this.#forgetOldest()
    if (forgotten === undefined) return { stored: [{ target, time }], forgotten: [] }
    return {
      stored: [
        { target, time },
        { target: null, time: this.#everythingUntil },
      ],
      forgotten: [forgotten],
    }
  }

  /** Why access no longer holds, to a document or, where none is named, as such; undefined where it does. */
  against({ document, user, tokenId, issuedAt }: Bearer & Partial<Permit>): CoeditError | undefined {
    const isRevoked =
      (tokenId !== undefined && this.#times.has(keyOf({ tokenId }))) ||
      (user !== undefined && issuedAt <= this.#timeOf(keyOf({ user }))) ||
      issuedAt <= this.#everythingUntil
    if (isRevoked) return new CoeditError('UNAUTHORIZED', 'the access was revoked')
    if (document === undefined || issuedAt > this.#timeOf(keyOf({ document }))) return undefined
    return new CoeditError('FORBIDDEN', 'the access to this document was revoked')
  }

  /** The target that was forgotten, where there were too many. */
  #forgetOldest(): string | undefined {
    const [oldest] = this.#times
    if (this.#times.size <= this.#limit || !oldest) return undefined
    const [target, time] = oldest
    this.#times.delete(target)
    this.#everythingUntil = Math.max(this.#everythingUntil, time)
    return target
  }

  #timeOf(target: string): number {
    return this.#times.get(target) ?? Number.NEGATIVE_INFINITY
  }
}

function targetOf(revoked: Revocation): string {
  const parsed = revocationSchema.safeParse(revoked)
  if (!parsed.success) {
    const expected = `one of user, tokenId and document, of at most ${MAX_ID_LENGTH} characters`
    throw new CoeditError('OPTION_INVALID', `revoke: expected ${expected}`)
  }
  return keyOf(parsed.data)
}

/** The key is JSON, which keeps every string, also those that are no valid UTF-8. */
function keyOf(revoked: Revocation): string {
  return JSON.stringify(revoked)
}
