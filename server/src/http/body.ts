import type { IncomingMessage } from 'node:http'
import { CoeditError } from '../common/errors.ts'

/** RFC 9112 §6.3. */
export function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}

/** @throws CoeditError BODY_UNEXPECTED */
export function expectNoBody(request: IncomingMessage): void {
  if (hasBody(request)) throw new CoeditError('BODY_UNEXPECTED', 'no body is taken at this address')
}
