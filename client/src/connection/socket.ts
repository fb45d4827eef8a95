/** The `readyState` of an open socket. Not every WebSocket class has the constant. */
const OPEN = 1

export interface SocketEvents {
  /** It is open, or another one goes on in its place, as a connection of its own. */
  onOpen(successor?: Socket): void
  onMessage(data: unknown): void
  /** It is closed, by the other end with its code and reason, or by the network with others. */
  onClose(code: number, reason: string): void
}

/** What carries the messages of one connection. */
export interface Socket {
  readonly transport: 'websocket' | 'http'
  readonly isOpen: boolean
  /** The subprotocol that the server has selected. */
  readonly protocol: string
  send(message: Uint8Array<ArrayBuffer>): void
  /** Goes on under another token. Without this the server is to be told by a message. */
  renew?(token: string): void
  /** Ends it; no event follows. */
  close(): void
}

/** Opens a socket that offers these subprotocols. No event comes before it returns; it may throw. */
export type OpenSocket = (protocols: readonly string[], events: SocketEvents) => Socket

/**
 * Opens a WebSocket. Throws what its class throws: a SecurityError for an address without TLS in a page of HTTPS.
 */
export function webSocket(WebSocketClass: typeof WebSocket, url: string): OpenSocket {
  return (protocols, { onOpen, onMessage, onClose }) => {
    const socket = new WebSocketClass(url, [...protocols])
    socket.binaryType = 'arraybuffer'
    socket.onopen = () => onOpen()
    socket.onmessage = ({ data }) => onMessage(data)
    socket.onclose = ({ code, reason }) => onClose(code, reason)
    // An error event says nothing that the close event does not; in Node one without a listener would end the process.
    socket.onerror = () => undefined
    return {
      transport: 'websocket',
      get isOpen() {
        return socket.readyState === OPEN
      },
      get protocol() {
        return socket.protocol
      },
      send: (message) => socket.send(message),
      close() {
        socket.onopen = null
        socket.onmessage = null
        socket.onclose = null
        socket.close()
      },
    }
  }
}
