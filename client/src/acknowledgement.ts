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

  /**
   * Whether all that this document holds is durable on the server. Only after a Step2, which is the one message that
   * carries what was edited before the socket opened.
   */
  get settled(): boolean {
    return this.#sentStep2 && this.#durable === this.#sent
  }

  record(frame: Uint8Array): void {
    if (frame[0] !== MESSAGE_SYNC) return
    if (frame[1] !== SYNC_STEP_2 && frame[1] !== SYNC_UPDATE) return
    this.#sent += 1
    if (frame[1] === SYNC_STEP_2) this.#sentStep2 = true
  }

  /** A count that falls, or that exceeds what was sent, is not one of ours to believe. */
  acknowledge(count: number): void {
    if (count > this.#durable && count <= this.#sent) this.#durable = count
  }
}

/**
 * A WebSocket class whose sockets record what they send. `open` gives the ledger for each new socket; `onSent` is
 * called after each recorded message.
 */
export function recordingWebSocket(Base: typeof WebSocket, open: () => Ledger, onSent: () => void): typeof WebSocket {
  return class RecordingWebSocket extends Base {
    readonly #ledger = open()

    override send(data: Parameters<WebSocket['send']>[0]): void {
      super.send(data)
      if (!(data instanceof Uint8Array)) return
      this.#ledger.record(data)
      onSent()
    }
  }
}

/** Calls `onCount` for each acknowledgement that comes over the provider's socket. */
export function onAcknowledgement(provider: WebsocketProvider, onCount: (count: number) => void): void {
  provider.messageHandlers[MESSAGE_ACKNOWLEDGEMENT] = (_answer, decoder) => onCount(readVarUint(decoder))
}
