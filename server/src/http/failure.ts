import type { Context } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { CoeditError, type ErrorCode } from '../common/errors.ts'

/** Of the errors that whoever asks is told; every other one is a failure of the server. */
export const STATUSES: Partial<Record<ErrorCode, ContentfulStatusCode>> = {
  DOCUMENT_NAME: 400,
  BODY_INVALID: 400,
  UNAUTHORIZED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  BODY_UNEXPECTED: 413,
  HOST_UNKNOWN: 421,
  TOO_MANY_CONNECTIONS: 429,
  AUTH_UNAVAILABLE: 503,
}

/** The one shape of an error answer, with a code of server/README.md. */
export function failureBody(code: ErrorCode, message: string) {
  return { error: { code, message } }
}

export function failure(c: Context, status: ContentfulStatusCode, code: ErrorCode, message: string): Response {
  return c.json(failureBody(code, message), status, { 'cache-control': 'no-store' })
}

/** The answer to a request that was refused on purpose; undefined for any other error. */
export function refusal(c: Context, error: Error): Response | undefined {
  const status = error instanceof CoeditError ? STATUSES[error.code] : undefined
  if (!(error instanceof CoeditError) || status === undefined) return undefined
  // RFC 9110 §11.6.1: a 401 says how to authenticate.
  if (status === 401) c.header('www-authenticate', 'Bearer')
  return failure(c, status, error.code, error.message)
}
