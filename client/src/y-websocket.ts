import { type Decoder, readVarString, readVarUint } from 'lib0/decoding'
import { createEncoder, toUint8Array, writeVarUint, writeVarUint8Array } from 'lib0/encoding'
import type { Awareness } from 'y-protocols/awareness'
import type { WebsocketProvider } from 'y-websocket'
import type * as Y from 'yjs'
import { systemClock } from './common/clock.ts'
import { ClientError } from './common/errors.ts'
import { Ledger } from './connection/acknowledgement.ts'
import type { Connection, Profile } from './connection/connection.ts'
import { refusal } from './connection/dialer.ts'
import { MESSAGE, SUBPROTOCOL, SYNC } from './connection/messages.ts'
import { StateStore } from './connection/state.ts'
import { StatedConnection } from './connection/stated-connection.ts'
import { guardUnload } from './connection/unload-guard.ts'

/** With this many sockets in a row that never opened the server counts as unreachable. */
const UNREACHABLE_AFTER = 3
const CLOSED_TOO_LARGE = 1009

export interface ProviderOptions {
  /** What `connection.text` is; a text of the provider's document. Default: `doc.getText('content')`. */
  readonly text?: Y.Text
  /** What other editors see of this one. Default: what the application has set in the awareness. */
  readonly user?: Profile
  /** Whether the browser asks before the page is left with changes that are not stored. Default: true. */
  readonly guardUnload?: boolean
}

const connections = new WeakMap<WebsocketProvider, ProviderConnection>()

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
  const known = connections.get(provider)
  if (known) return known
  if (typeof provider.roomname !== 'string') {
    throw new ClientError('DOCUMENT_INVALID', `the provider's document has no name, but ${provider.roomname}`)
  }
  if (!provider.protocols.includes(SUBPROTOCOL)) {
    throw new ClientError('PROTOCOL_MISSING', `make the provider with { protocols: ['${SUBPROTOCOL}'] }`)
  }
  const connection = new ProviderConnection(provider, options)
  connections.set(provider, connection)
  connection.start()
  return connection
}

type Handler = WebsocketProvider['messageHandlers'][number]

class ProviderConnection extends StatedConnection implements Connection {
  readonly doc: Y.Doc
  readonly text: Y.Text
  readonly awareness: Awareness
  readonly #provider: WebsocketProvider
  readonly #options: ProviderOptions
  readonly #access: 'read' | 'write'
  /** Of the present socket; of the next one while there is none. */
  #ledger = new Ledger()
  /** Sockets that never opened, since one did. */
  #failures = 0
  /** Whether what is applied at this moment comes from the server: the provider also applies what other tabs send. */
  #isFromServer = false

  constructor(provider: WebsocketProvider, options: ProviderOptions) {
    const { doc, awareness, params } = provider
    const access = params.access === 'read' ? 'read' : 'write'
    super(new StateStore(access))
    this.doc = doc
    this.text = options.text ?? doc.getText('content')
    this.awareness = awareness
    this.#provider = provider
    this.#options = options
    this.#access = access
  }

  start(): void {
    const { user, guardUnload: isGuarded = true } = this.#options
    if (user) this.setUser(user)
    if (isGuarded) guardUnload(this.store, this.ended.signal)
    this.#watchSockets()
    this.#watchMessages()
    this.doc.on('update', this.#onUpdate)
    this.doc.on('destroy', this.#onDestroy)
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

  destroy(): void {
    this.doc.off('update', this.#onUpdate)
    this.doc.off('destroy', this.#onDestroy)
    this.ended.abort()
    this.store.clear()
    connections.delete(this.#provider)
  }

  readonly #onDestroy = () => this.destroy()

  #watchSockets(): void {
    const provider = this.#provider
    const onStatus = ({ status }: { status: string }) => {
      if (status === 'connected') this.#onOpen()
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

  #onOpen(): void {
    this.#failures = 0
    this.store.opened()
  }

  /** Called before the provider decides about the next attempt. There is no event where it closes the socket itself. */
  #onClose(event: CloseEvent | null): void {
    const store = this.store
    this.#ledger = new Ledger()
    if (!this.#provider.wsconnected) this.#failures += 1
    store.change({ connection: 'offline', node: null, synced: false, saved: false })
    if (event && this.#isFinal(event)) {
      const { code, reason } = event
      this.#provider.shouldConnect = false
      store.deny(code, reason, refusal(code, reason))
    } else if (event?.code === CLOSED_TOO_LARGE) {
      store.block(new ClientError('TOO_LARGE', 'the server takes no message of this size'))
    } else if (this.#failures >= UNREACHABLE_AFTER) {
      store.block(new ClientError('UNREACHABLE', 'the server cannot be reached'))
    }
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

  /** Comes after the provider's own listener, which has sent the update where there is an open socket. */
  readonly #onUpdate = (update: Uint8Array, origin: unknown): void => {
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
