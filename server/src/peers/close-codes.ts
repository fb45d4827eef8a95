import { CoeditError, ERRORS } from '../common/errors.ts'

/** Why the server closes a WebSocket. The codes are listed in server/PROTOCOL.md. */
export interface Close {
  readonly code: number
  /** At most 123 bytes of UTF-8 (RFC 6455 §5.5). */
  readonly reason: string
}

/**
 * 4400–4499 end reconnecting in y-websocket 3.1; every other code is followed by another try.
 */
export const CLOSE = {
  restart: { code: 1012, reason: 'the server restarts' },
  stalled: { code: 1013, reason: 'nothing was read for too long; come back for the rest' },
  failed: { code: 1011, reason: 'the document could not be read or stored' },
  textFrame: { code: 1003, reason: 'text frame; expected binary frames' },
  firstMessageTooLarge: { code: 1009, reason: 'too large for a message before the first Step1' },
} as const satisfies Record<string, Close>

/** How a connection ends for an error. */
export function closeFor(error: unknown): Close {
  const code = error instanceof CoeditError ? ERRORS[error.code].close : undefined
  return error instanceof CoeditError && code !== undefined ? { code, reason: truncate(error.message) } : CLOSE.failed
}

const MAX_REASON_BYTES = 123

function truncate(text: string): string {
  const bytes = Buffer.from(text)
  if (bytes.length <= MAX_REASON_BYTES) return text
  // A cut inside a character would leave U+FFFD, whose three bytes may pass the limit again.
  return `${bytes
    .subarray(0, MAX_REASON_BYTES - 3)
    .toString()
    .replace(/\uFFFD+$/, '')}…`
}
