import type { Context } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import type { ErrorCode } from '../errors.ts'

/** The one shape of an error answer: `{ "error": { "code": …, "message": … } }`, with a code of server/README.md. */
export function failure(c: Context, status: ContentfulStatusCode, code: ErrorCode, message: string): Response {
  return c.json({ error: { code, message } }, status, { 'cache-control': 'no-store' })
}
