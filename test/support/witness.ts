import { createDecoder, readVarUint, readVarUint8Array } from 'lib0/decoding'
import { WebSocket as NodeWebSocket } from 'ws'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'
import type { Release } from './temporary.ts'

const SYNC = 0
const STEP2 = 1
const UPDATE = 2
const ACKNOWLEDGEMENT = 100
const NODE = 103

/** Learns what passes over the sockets of one client: its own edits (Step2 and Update messages), and what comes back. */
export interface Witness {
  sent?(edit: Uint8Array): void
  /** The server has read these edits: it answered a ping that was sent after them. */
  read?(edits: readonly Uint8Array[]): void
  /** The server says that these edits are durable. */
  acknowledged?(edits: readonly Uint8Array[]): void
  /** The server showed an edit to this client. */
  shown?(update: Uint8Array): void
  closed?(code: number): void
}

export interface WitnessedOptions {
  /** Where the clean-up goes: the client is destroyed. */
  readonly release: Release
  readonly url: string
  readonly document: string
  readonly witness?: Witness
  /** Whether it offers the subprotocol that brings acknowledgements. */
  readonly acknowledges?: boolean
  /** Default: an empty one. */
  readonly doc?: Y.Doc
}

export interface WitnessedClient {
  readonly doc: Y.Doc
  readonly provider: WebsocketProvider
}

/** An unchanged y-websocket client whose sockets have a witness. It reconnects by itself, at least every 100 ms. */
export function connectWitnessed(options: WitnessedOptions): WitnessedClient {
  const { release, url, document, witness = {}, acknowledges = false, doc = new Y.Doc() } = options
  const provider = new WebsocketProvider(url, encodeURIComponent(document), doc, {
    WebSocketPolyfill: witnessedWebSocket(witness),
    protocols: acknowledges ? ['coedit.v1'] : [],
    maxBackoffTime: 100,
    // Clients of one process would share edits past the server.
    disableBc: true,
  })
  // The witness reads acknowledgements; without a handler the client complains of them, and of the name of a server.
  provider.messageHandlers[ACKNOWLEDGEMENT] = () => undefined
  provider.messageHandlers[NODE] = () => undefined
  release(async () => {
    provider.destroy()
    doc.destroy()
  })
  return { doc, provider }
}

/** Resolves when the client has all that the server holds. */
export function synced({ provider }: WitnessedClient): Promise<void> {
  if (provider.synced) return Promise.resolve()
  return new Promise((resolve) => {
    const onSync = (isSynced: boolean) => {
      if (!isSynced) return
      provider.off('sync', onSync)
      resolve()
    }
    provider.on('sync', onSync)
  })
}

function witnessedWebSocket(witness: Witness): typeof WebSocket {
  const Witnessed: unknown = class extends NodeWebSocket {
    /** The edits sent over this socket. */
    readonly #edits: Uint8Array[] = []
    #read = 0
    #acknowledged = 0

    constructor(url: string, protocols: string[]) {
      super(url, protocols)
      this.on('message', (data) => this.#received(bytesOf(data)))
      this.on('pong', (data) => this.#haveRead(Number(data)))
      this.on('close', (code) => witness.closed?.(code))
    }

    override send(message: Parameters<NodeWebSocket['send']>[0]): void {
      super.send(message)
      const edit = editIn(bytesOf(message))
      if (!edit) return
      this.#edits.push(edit)
      witness.sent?.(edit)
      if (witness.read) this.ping(String(this.#edits.length))
    }

    #received(message: Uint8Array): void {
      const decoder = createDecoder(message)
      const type = readVarUint(decoder)
      if (type === ACKNOWLEDGEMENT) this.#acknowledge(readVarUint(decoder))
      else if (type === SYNC && readVarUint(decoder) === UPDATE) witness.shown?.(readVarUint8Array(decoder))
    }

    #haveRead(count: number): void {
      witness.read?.(this.#edits.slice(this.#read, count))
      this.#read = count
    }

    #acknowledge(count: number): void {
      const edits = this.#edits.slice(this.#acknowledged, count)
      if (edits.length !== count - this.#acknowledged) {
        throw new Error(`${count} edits were acknowledged of ${this.#edits.length}`)
      }
      this.#acknowledged = count
      witness.acknowledged?.(edits)
    }
  }
  if (isWebSocketClass(Witnessed)) return Witnessed
  throw new Error('the class of the ws package is no WebSocket')
}

/** The update in a Step2 or Update message. */
function editIn(message: Uint8Array): Uint8Array | undefined {
  const decoder = createDecoder(message)
  if (readVarUint(decoder) !== SYNC) return undefined
  const kind = readVarUint(decoder)
  return kind === STEP2 || kind === UPDATE ? readVarUint8Array(decoder) : undefined
}

function bytesOf(data: unknown): Uint8Array {
  if (data instanceof ArrayBuffer) return new Uint8Array(data)
  if (data instanceof Uint8Array) return data
  throw new Error('a message that is not binary')
}

/** The types of `ws` and of browsers differ where this client does not tread. */
function isWebSocketClass(candidate: unknown): candidate is typeof WebSocket {
  return typeof candidate === 'function' && candidate.prototype instanceof NodeWebSocket
}
