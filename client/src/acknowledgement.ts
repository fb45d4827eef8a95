import { readVarUint } from 'lib0/decoding'
import type { WebsocketProvider } from 'y-websocket'

/** Offered as a WebSocket subprotocol: only then the server sends acknowledgements. */
export const ACKNOWLEDGING_PROTOCOL = 'coedit.v1'

const MESSAGE_SYNC = 0
const SYNC_STEP_2 = 1
const SYNC_UPDATE = 2
const MESSAGE_ACKNOWLEDGEMENT = 100

/**
 * What one socket has sent, and how much of it the server has stored. Step2 and Update messages count, in the order
 * sent; the server answers with how many of them, from the first on, are durable.
 */
export class Ledger {
  #sent = 0
  #durable = 0
  #sentStep2 = false
  #unsent = 0

  /**
   * Whether all that this document holds is durable on the server. Only after a Step2, which is the one message that
   * carries what was edited before the socket opened.
   */
  get settled(): boolean {
    return this.#sentStep2 && this.#unsent === 0 && this.#durable === this.#sent
  }

  /** The document has changed here. The provider sends that as an Update, but on a closing socket it sends nothing. */
  expectUpdate(): void {
    this.#unsent += 1
  }

  record(frame: Uint8Array): void {
    if (frame[0] !== MESSAGE_SYNC) return
    if (frame[1] !== SYNC_STEP_2 && frame[1] !== SYNC_UPDATE) return
    this.#sent += 1
    if (frame[1] === SYNC_UPDATE) {
      this.#unsent -= 1
      return
    }
    this.#sentStep2 = true
    this.#unsent = 0
  }

  /** A count that falls, or that exceeds what was sent, is not one of ours to believe. */
  acknowledge(count: number): void {
    if (count > this.#durable && count <= this.#sent) this.#durable = count
  }
}

/** Who is told of a new socket: the answer is told what that socket does. */
export type SocketWitness = () => {
  sent(frame: Uint8Array): void
  received(): void
}

/** A WebSocket class whose sockets tell what they send, and that they receive. */
export function witnessedWebSocket(Base: typeof WebSocket, open: SocketWitness): typeof WebSocket {
  return class WitnessedWebSocket extends Base {
    readonly #witness = open()

    constructor(...parameters: ConstructorParameters<typeof WebSocket>) {
      super(...parameters)
      this.addEventListener('message', () => this.#witness.received())
    }

    override send(data: Parameters<WebSocket['send']>[0]): void {
      super.send(data)
      if (data instanceof Uint8Array) this.#witness.sent(data)
    }
  }
}

/** Calls `onCount` for each acknowledgement that comes over the provider's socket. */
export function onAcknowledgement(provider: WebsocketProvider, onCount: (count: number) => void): void {
  provider.messageHandlers[MESSAGE_ACKNOWLEDGEMENT] = (_answer, decoder) => onCount(readVarUint(decoder))
}
