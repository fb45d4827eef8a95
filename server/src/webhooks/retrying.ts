import type { CursorFailure } from '../storage/cursor-store.ts'

const FIRST_MS = 1_000
const LONGEST_MS = 6 * 3_600_000

export interface RetryRules {
  /** For how long is tried, in milliseconds. */
  readonly webhookRetryMs: number
}

export interface Refusal {
  /** For people. */
  readonly reason: string
  /** For how long the receiver asks to be left alone. Default: 0. */
  readonly retryAfterMs?: number
  /** Whether it makes no sense to try again. Default: false. */
  readonly isFinal?: boolean
}

/**
 * What follows a failure: another attempt after a pause that doubles each time, up to 6 h, and of which a random part of up to a half
 * is left out, so that many do not come at once, or longer where the receiver asks for it; none behind the time for which is tried.
 *
 * @param random from 0 to below 1
 */
export function failureAfter(
  before: CursorFailure | undefined,
  { reason, retryAfterMs = 0, isFinal = false }: Refusal,
  now: number,
  { webhookRetryMs }: RetryRules,
  random: number,
): CursorFailure {
  const { count = 0, since = now } = before ?? {}
  const ownMs = Math.min(FIRST_MS * 2 ** count, LONGEST_MS) * (1 - random / 2)
  const pauseMs = Math.max(ownMs, Math.min(retryAfterMs, LONGEST_MS))
  const end = since + webhookRetryMs
  // The last attempt is made when the time is over.
  const retryAt = isFinal || now >= end ? null : Math.min(now + pauseMs, end)
  return { count: count + 1, since, reason, retryAt }
}
