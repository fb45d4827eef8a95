import { type Decoder, readVarString, readVarUint } from 'lib0/decoding'
import { createEncoder, toUint8Array, writeVarUint, writeVarUint8Array } from 'lib0/encoding'
import type { WebsocketProvider } from 'y-websocket'
import { systemClock } from './common/clock.ts'
import { ClientError } from './common/errors.ts'
import { Ledger } from './connection/acknowledgement.ts'
import type { Connection } from './connection/connection.ts'
import { refusal } from './connection/dialer.ts'
import { MESSAGE, SUBPROTOCOL, SYNC } from './connection/messages.ts'
import {
  connectionFor,
  expectName,
  ProvidedConnection,
  type ProviderOptions,
} from './connection/provided-connection.ts'

export type { ProviderOptions }

/**
 * A connection, as `connect` gives one, of a y-websocket provider (2.1 or 3.x) that the application has already. The
 * provider opens and closes the sockets as ever; `state.saved` comes from the acknowledgements of a coedit server, for
 * which it must be made with `protocols: ['coedit.v1']`. Throws PROTOCOL_MISSING otherwise, and DOCUMENT_INVALID where it
 * was given no name.
 *
 * A provider has one connection, so that this may be called at each rendering; further options of later calls count for
 * nothing. Of a provider whose socket is open already it is closed, and the provider opens another one: what was sent
 * over a socket has to be counted from its beginning. `destroy()` ends the connection alone: the provider, its document
 * and its awareness are the application's. `pause()` and `resume()` are its `disconnect()` and `connect()`.
 */
export function connectionOf(provider: WebsocketProvider, options: ProviderOptions = {}): Connection {
  return connectionFor(provider, () => {
    expectName(provider.roomname)
    if (!provider.protocols.includes(SUBPROTOCOL)) {
      throw new ClientError('PROTOCOL_MISSING', `make the provider with { protocols: ['${SUBPROTOCOL}'] }`)
    }
    return new ProviderConnection(provider, options)
  })
}

type Handler = WebsocketProvider['messageHandlers'][number]

class ProviderConnection extends ProvidedConnection {
  readonly #provider: WebsocketProvider
  readonly #access: 'read' | 'write'
  /** Of the present socket; of the next one while there is none. */
  #ledger = new Ledger()
  /** Whether what is applied at this moment comes from the server: the provider also applies what other tabs send. */
  #isFromServer = false

  constructor(provider: WebsocketProvider, options: ProviderOptions) {
    const { doc, awareness, params } = provider
    const access = params.access === 'read' ? 'read' : 'write'
    super({ provider, doc, awareness, access }, options)
    this.#provider = provider
    this.#access = access
  }

  override start(): void {
    super.start()
    this.#watchSockets()
    this.#watchMessages()
    if (!this.#provider.shouldConnect) this.store.change({ connection: 'offline' })
    if (this.#provider.wsconnected) this.#provider.ws?.close()
  }

  pause(): void {
    this.#provider.disconnect()
  }

  resume(): void {
    if (this.ended.signal.aborted) return
    this.regrant(this.#access)
    this.#provider.connect()
  }

  reconnectNow(): void {
    const { shouldConnect, ws } = this.#provider
    if (shouldConnect && ws === null) this.#provider.connect()
  }

  #watchSockets(): void {
    const provider = this.#provider
    const onStatus = ({ status }: { status: string }) => {
      if (status === 'connected') this.opened()
    }
    const onSync = (synced: boolean) => this.store.change({ synced })
    const onClose = (event: CloseEvent | null) => this.#onClose(event)
    provider.on('status', onStatus)
    provider.on('sync', onSync)
    provider.on('connection-close', onClose)
    this.ended.signal.addEventListener('abort', () => {
      provider.off('status', onStatus)
      provider.off('sync', onSync)
      provider.off('connection-close', onClose)
    })
  }

  /** Called before the provider decides about the next attempt. There is no event where it closes the socket itself. */
  #onClose(event: CloseEvent | null): void {
    this.#ledger = new Ledger()
    this.closed(this.#provider.wsconnected, event?.code)
    if (!event || !this.#isFinal(event)) return
    const { code, reason } = event
    this.#provider.shouldConnect = false
    this.store.deny(code, reason, refusal(code, reason))
  }

  /** Before 3.1 a provider has no function that decides, and comes back whatever the code says. */
  #isFinal(event: CloseEvent): boolean {
    const provider = this.#provider
    if (typeof provider.shouldReconnect === 'function') return !provider.shouldReconnect(event, provider)
    return event.code >= 4400 && event.code < 4500
  }

  #watchMessages(): void {
    const { messageHandlers } = this.#provider
    const handleSync = messageHandlers[MESSAGE.sync]
    const handleAuth = messageHandlers[MESSAGE.auth]
    if (!handleSync || !handleAuth) throw new TypeError('this is no provider of y-websocket')
    messageHandlers[MESSAGE.sync] = this.#aroundSync(handleSync)
    messageHandlers[MESSAGE.auth] = (...message) => {
      handleAuth(...message)
      this.store.grant('read')
    }
    messageHandlers[MESSAGE.acknowledgement] = (_, message) => this.#onAcknowledgement(readVarUint(message))
    messageHandlers[MESSAGE.refusal] = (_, message) => this.refused(readVarUint(message))
    messageHandlers[MESSAGE.node] = (_, message) => this.store.change({ node: readVarString(message) })
    this.ended.signal.addEventListener('abort', () => {
      messageHandlers[MESSAGE.sync] = handleSync
      messageHandlers[MESSAGE.auth] = handleAuth
    })
  }

  #aroundSync(handle: Handler): Handler {
    return (answer, message, provider, isFromServer, type) => {
      const isQuestion = peek(message) === SYNC.step1
      const before = this.#isFromServer
      this.#isFromServer = isFromServer
      try {
        handle(answer, message, provider, isFromServer, type)
      } finally {
        this.#isFromServer = before
      }
      if (isFromServer && isQuestion) this.#onAsked()
    }
  }

  /** The provider answers a Step1 with a Step2, as soon as its handler has returned. */
  #onAsked(): void {
    this.#ledger.sentStep2()
    this.writable(this.#access)
  }

  #onAcknowledgement(count: number): void {
    const saveTime = this.#ledger.acknowledge(count, systemClock.now())
    if (saveTime !== undefined) this.store.change({ saveTime })
    if (this.#ledger.settled) this.saved()
  }

  /** The provider's own listener has sent the update where there is an open socket. */
  protected override changed(update: Uint8Array, origin: unknown): void {
    const isProviders = origin === this.#provider
    if (isProviders && this.#isFromServer) return
    const { wsconnected, ws } = this.#provider
    if (!wsconnected || ws?.readyState !== ws?.OPEN) {
      this.#ledger.missedUpdate()
    } else {
      // Whether the tab that has made it gets it to the server is not known here.
      if (isProviders) ws?.send(updateMessage(update))
      this.#ledger.sentUpdate(systemClock.now())
    }
    this.edited()
  }
}

/** The next byte of a message. */
function peek({ arr, pos }: Decoder): number | undefined {
  return arr[pos]
}

function updateMessage(update: Uint8Array): Uint8Array<ArrayBuffer> {
  const message = createEncoder()
  writeVarUint(message, MESSAGE.sync)
  writeVarUint(message, SYNC.update)
  writeVarUint8Array(message, update)
  return toUint8Array(message)
}
