import type { IncomingMessage } from 'node:http'
import { CoeditError } from '../common/errors.ts'

/** RFC 9112 §6.3. */
export function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}

/**
 * All of a body, in memory of its own. Rejects with BODY_TOO_LARGE as soon as it is known to be, and with BODY_INVALID where
 * the client hangs up before its end.
 */
export function readBody(request: IncomingMessage, maxBytes: number): Promise<ArrayBuffer> {
  return new Promise((resolve, reject) => {
    const tooLarge = () => reject(new CoeditError('BODY_TOO_LARGE', `the body is larger than ${maxBytes} bytes`))
    if (Number(request.headers['content-length'] ?? 0) > maxBytes) {
      tooLarge()
      return
    }
    const parts: Uint8Array[] = []
    let length = 0
    request.on('data', (part: Uint8Array) => {
      parts.push(part)
      length += part.length
      if (length <= maxBytes) return
      // What is left unread is not taken for another request: the connection is closed.
      request.pause().removeAllListeners('data')
      tooLarge()
    })
    request.on('end', () => resolve(joined(parts, length)))
    const broken = (cause?: Error) => {
      // Each request closes in the end.
      if (!request.readableEnded) reject(new CoeditError('BODY_INVALID', 'the body breaks off', { cause }))
    }
    request.on('error', broken)
    request.on('close', broken)
    // It may have been over before.
    if (request.destroyed) broken()
  })
}

function joined(parts: readonly Uint8Array[], length: number): ArrayBuffer {
  const all = new Uint8Array(length)
  let offset = 0
  for (const part of parts) {
    all.set(part, offset)
    offset += part.length
  }
  return all.buffer
}

/** @throws CoeditError BODY_UNEXPECTED */
export function expectNoBody(request: IncomingMessage): void {
  if (hasBody(request)) throw new CoeditError('BODY_UNEXPECTED', 'no body is taken at this address')
}
