import { CoeditError } from '../../common/errors.ts'

/** Of one request; each costs a turn of the event loop. */
const MAX_MESSAGES = 1_000
const LENGTH_BYTES = 4

/**
 * The messages in the body of a request, each with its length in four bytes before it, the lowest first.
 * @throws CoeditError MESSAGE_MALFORMED
 */
export function messagesIn(body: Buffer): readonly Uint8Array[] {
  const messages: Uint8Array[] = []
  for (let at = 0; at < body.length; ) {
    if (messages.length === MAX_MESSAGES) throw malformed(`more than ${MAX_MESSAGES} messages`)
    const start = at + LENGTH_BYTES
    if (start > body.length) throw malformed('half of a length at its end')
    at = start + body.readUInt32LE(at)
    if (at > body.length) throw malformed('less bytes than its last length says')
    // It is never a Buffer, whose `slice` shares memory.
    messages.push(new Uint8Array(body.buffer, body.byteOffset + start, at - start))
  }
  return messages
}

function malformed(what: string): CoeditError {
  return new CoeditError('MESSAGE_MALFORMED', `the body has ${what}`)
}

/** The message in a WebSocket frame of the server, or the beginning of one (RFC 6455 §5.2). */
export function messageIn(frame: Uint8Array): Uint8Array {
  const length = frame[1] ?? 0
  if (length < 126) return frame.subarray(2)
  return frame.subarray(length === 126 ? 4 : 10)
}
