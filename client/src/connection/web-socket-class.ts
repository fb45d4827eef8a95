import { ClientError } from '../common/errors.ts'

/** The class that an application passes, or else the runtime's own. Throws WEBSOCKET_MISSING. */
export function webSocketClass(given: unknown): typeof WebSocket {
  const candidate: unknown = given ?? globalThis.WebSocket
  if (isWebSocketClass(candidate)) return candidate
  throw new ClientError('WEBSOCKET_MISSING', 'pass a class as the option WebSocket: this runtime has none')
}

function isWebSocketClass(candidate: unknown): candidate is typeof WebSocket {
  return typeof candidate === 'function' && typeof candidate.prototype?.send === 'function'
}
