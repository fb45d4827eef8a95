import { Awareness } from 'y-protocols/awareness'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'
import { ACKNOWLEDGING_PROTOCOL, Ledger, onAcknowledgement, witnessedWebSocket } from './acknowledgement.ts'
import { pathSegment, socketAddress } from './address.ts'
import { type Clock, systemClock } from './clock.ts'
import type { Connection, ConnectOptions, Profile } from './connection.ts'
import { Dialer } from './dialer.ts'
import { ClientError } from './errors.ts'
import { type ConnectionState, type ErrorListener, INITIAL_STATE, type StateListener, StateStore } from './state.ts'
import { TokenSource } from './token.ts'

export type { Connection, ConnectOptions, Profile, User, WebSocketClass } from './connection.ts'

/** The shared text's name in the document: the same in every part of coedit. */
const TEXT_NAME = 'content'
/** The server says that this connection may not write. */
const MESSAGE_PERMISSION_DENIED = 2

/** What a test may bring itself. */
export interface ConnectParts {
  /** Default: the time of the system. */
  readonly clock?: Clock
}

/**
 * Opens a document on a server and keeps it connected until `destroy`. Throws URL_INVALID, DOCUMENT_INVALID,
 * WEBSOCKET_MISSING or USER_MISSING.
 */
export function connect(options: ConnectOptions, { clock = systemClock }: ConnectParts = {}): Connection {
  if (options.offline && options.user?.id === undefined) {
    throw new ClientError('USER_MISSING', 'an offline copy needs user.id, so that nobody else gets to see it')
  }
  const session = new Session(options, clock)
  session.start()
  return session
}

class Session implements Connection {
  readonly doc = new Y.Doc()
  readonly text = this.doc.getText(TEXT_NAME)
  readonly awareness = new Awareness(this.doc)
  readonly whenSynced: Promise<void>
  readonly #store: StateStore
  readonly #ended = new AbortController()
  readonly #provider: WebsocketProvider
  readonly #dialer: Dialer
  readonly #granted: 'write' | 'read'
  #ledger = new Ledger()
  #isPaused = false

  constructor(options: ConnectOptions, clock: Clock) {
    const { url, document, token, access = 'write', user } = options
    const store = new StateStore({ ...INITIAL_STATE, access })
    this.#store = store
    this.#granted = access
    // Before the provider does, which sends the change: then the ledger knows of it first.
    this.doc.on('update', this.#onUpdate)
    this.#provider = new WebsocketProvider(socketAddress(url), pathSegment(document), this.doc, {
      connect: false,
      awareness: this.awareness,
      params: access === 'read' ? { access } : {},
      protocols: [ACKNOWLEDGING_PROTOCOL],
      WebSocketPolyfill: witnessedWebSocket(webSocketClass(options.WebSocket), () => this.#openLedger()),
      // Tabs would exchange edits by a channel that knows no accounts and no read-only access, and what came that way
      // would be in no ledger.
      disableBc: true,
    })
    const onRenewalFailed = (error: ClientError) => store.report(error)
    this.#dialer = new Dialer({
      provider: this.#provider,
      store,
      clock,
      token: token && new TokenSource({ clock, fetch: token, onRenewalFailed }),
    })
    if (user) this.setUser(user)
    this.whenSynced = until(store, this.#ended.signal, (state) => state.synced)
    // Its rejection is for those who wait for it; an application that does not wait must not fail by it.
    this.whenSynced.catch(() => undefined)
  }

  get state(): ConnectionState {
    return this.#store.current
  }

  start(): void {
    this.#watchProvider()
    this.#dialer.start()
  }

  subscribe(listener: StateListener): () => void {
    return this.#store.subscribe(listener)
  }

  onError(listener: ErrorListener): () => void {
    return this.#store.onError(listener)
  }

  flush(): Promise<void> {
    return until(this.#store, this.#ended.signal, (state) => state.saved)
  }

  setUser({ name, color }: Profile): void {
    this.awareness.setLocalStateField('user', { name, color })
  }

  pause(): void {
    this.#isPaused = true
    this.#dialer.stop()
  }

  resume(): void {
    this.#isPaused = false
    if (this.#store.current.access === 'denied') this.#store.grant(this.#granted)
    this.#dialer.start()
  }

  destroy(): void {
    this.#ended.abort(new ClientError('DESTROYED', 'the connection was destroyed'))
    this.#store.clear()
    this.#dialer.stop()
    this.#provider.destroy()
    this.doc.destroy()
  }

  #watchProvider(): void {
    const provider = this.#provider
    const store = this.#store
    onAcknowledgement(provider, (count) => {
      this.#ledger.acknowledge(count)
      this.#checkSaved()
    })
    provider.messageHandlers[MESSAGE_PERMISSION_DENIED] = () => store.grant('read')
    provider.on('status', ({ status }) => {
      if (status === 'connected') {
        store.change({ connection: 'online' })
        this.#dialer.opened()
      } else if (status === 'disconnected') this.#forgetPeers()
    })
    provider.on('sync', (synced) => {
      store.change({ synced })
      if (synced) this.#dialer.synced()
    })
    provider.on('connection-close', (event) => {
      store.change({ connection: 'offline', synced: false, saved: false })
      this.#dialer.closed(event)
    })
  }

  readonly #onUpdate = (_update: Uint8Array, origin: unknown): void => {
    if (origin === this.#provider) return
    this.#ledger.expectUpdate()
    this.#store.change({ unsaved: this.#store.current.unsaved + 1, saved: false })
  }

  #openLedger() {
    const ledger = new Ledger()
    this.#ledger = ledger
    return {
      sent: (frame: Uint8Array) => {
        ledger.record(frame)
        this.#checkSaved()
      },
      received: () => undefined,
    }
  }

  #checkSaved(): void {
    if (this.#store.current.connection !== 'online' || !this.#ledger.settled) return
    this.#store.change({ saved: true, unsaved: 0 })
    this.#store.unblock('TOO_LARGE')
  }

  /** Peers whose clocks have not moved meanwhile would be ignored when the server tells of them again. */
  #forgetPeers(): void {
    for (const id of this.awareness.meta.keys()) if (id !== this.doc.clientID) this.awareness.meta.delete(id)
  }
}

function webSocketClass(given: unknown): typeof WebSocket {
  const candidate: unknown = given ?? globalThis.WebSocket
  if (isWebSocketClass(candidate)) return candidate
  throw new ClientError('WEBSOCKET_MISSING', 'this runtime has no WebSocket: pass a class as the option WebSocket')
}

function isWebSocketClass(candidate: unknown): candidate is typeof WebSocket {
  return typeof candidate === 'function' && typeof candidate.prototype?.send === 'function'
}

/** Resolves when a state satisfies `reached`; rejects when access is denied and when `ended` is aborted. */
function until(store: StateStore, ended: AbortSignal, reached: (state: ConnectionState) => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const check = () => {
      const state = store.current
      if (ended.aborted) reject(ended.reason)
      else if (reached(state)) resolve()
      else if (state.access === 'denied') reject(state.error)
      else return
      unsubscribe()
      ended.removeEventListener('abort', check)
    }
    const unsubscribe = store.subscribe(check)
    ended.addEventListener('abort', check)
    check()
  })
}
