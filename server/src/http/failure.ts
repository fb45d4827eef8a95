import type { Context } from 'hono'
import { ERRORS, type ErrorCode } from '../common/errors.ts'

/** The one shape of an error answer, with a code of server/README.md. */
export function failureBody(code: ErrorCode, message: string) {
  return { error: { code, message } }
}

export function failure(c: Context, code: ErrorCode, message: string): Response {
  const { status = 500 } = ERRORS[code]
  // RFC 9110 §11.6.1: a 401 says how to authenticate.
  if (status === 401) c.header('www-authenticate', 'Bearer')
  // RFC 9110 §15.5.22: a 426 says to what.
  if (status === 426) c.header('upgrade', 'websocket')
  return c.json(failureBody(code, message), status, { 'cache-control': 'no-store' })
}
