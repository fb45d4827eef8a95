import { CoeditError } from '../../server/src/common/errors.ts'
import { decodeStateVector, scanUpdate } from '../../server/src/protocol/update/update.ts'
import { decodePresence } from '../../server/src/protocol/wire/awareness.ts'
import { type ClientMessage, decodeMessage } from '../../server/src/protocol/wire/messages.ts'

/** Reads a message of a connection that speaks `coedit.v1`, as a server does. Null for one that closes its sender. Throws what is no refusal. */
export function readMessage(bytes: Uint8Array): ClientMessage | null {
  try {
    const message = decodeMessage(bytes, true)
    if (message.type === 'step1') decodeStateVector(message.stateVector)
    if (message.type === 'awareness') decodePresence(message.entries)
    if ('update' in message) scanUpdate(message.update)
    return message
  } catch (error) {
    if (error instanceof CoeditError && isRefusal(error)) return null
    throw error
  }
}

function isRefusal({ code }: CoeditError): boolean {
  return code === 'MESSAGE_MALFORMED' || code === 'UPDATE_MALFORMED'
}
