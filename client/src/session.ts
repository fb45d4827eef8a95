import { createEncoder, toUint8Array, writeVarUint } from 'lib0/encoding'
import { Awareness } from 'y-protocols/awareness'
import { writeSyncStep1 } from 'y-protocols/sync'
import { messageAuth, messageSync, WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'
import { ACKNOWLEDGING_PROTOCOL, Ledger, onAcknowledgement, witnessedWebSocket } from './acknowledgement.ts'
import { pathSegment, socketAddress } from './address.ts'
import { storageName } from './browser-storage.ts'
import type { Clock } from './clock.ts'
import type { Connection, ConnectOptions, Profile } from './connection.ts'
import { Dialer } from './dialer.ts'
import { ClientError } from './errors.ts'
import { Liveness } from './liveness.ts'
import { watchPage } from './page.ts'
import {
  type ConnectionState,
  type ErrorListener,
  type Granted,
  INITIAL_STATE,
  type StateListener,
  StateStore,
} from './state.ts'
import { Tabs } from './tabs.ts'
import { TokenSource } from './token.ts'
import { guardUnload } from './unload.ts'

/** The shared text's name in the document: the same in every part of coedit. */
const TEXT_NAME = 'content'

/** A document, its provider, and all that watches over them. */
export class Session implements Connection {
  readonly doc = new Y.Doc()
  readonly text = this.doc.getText(TEXT_NAME)
  readonly awareness = new Awareness(this.doc)
  readonly whenSynced: Promise<void>
  readonly #options: ConnectOptions
  readonly #clock: Clock
  readonly #access: Granted['access']
  /** What this user's data in the browser is called; undefined for somebody unknown, who has none. */
  readonly #storageName: string | undefined
  readonly #store: StateStore
  readonly #ended = new AbortController()
  readonly #provider: WebsocketProvider
  readonly #dialer: Dialer
  readonly #liveness: Liveness
  readonly #tabs: Tabs | undefined
  #ledger = new Ledger()
  #isPaused = false
  /** What others saw of this editor when the page was left. */
  #presence: ReturnType<Awareness['getLocalState']> = null

  constructor(options: ConnectOptions, clock: Clock) {
    const { url, document, user, access = 'write', tabs = true } = options
    const address = socketAddress(url)
    const room = pathSegment(document)
    const store = new StateStore({ ...INITIAL_STATE, access })
    this.#options = options
    this.#clock = clock
    this.#access = access
    this.#store = store
    this.#storageName = user?.id === undefined ? undefined : storageName(user.id, address, room)
    // Before the provider, which sends the change: the ledger is to know of it first.
    this.doc.on('update', this.#onUpdate)
    const provider = this.#createProvider(address, room)
    this.#provider = provider
    this.#dialer = new Dialer({ provider, store, clock, token: this.#tokenSource() })
    this.#liveness = new Liveness({ store, clock, probe: () => this.#probe(), drop: () => this.#dialer.hangUp() })
    if (tabs && access === 'write' && this.#storageName !== undefined) {
      this.#tabs = new Tabs({ name: this.#storageName, doc: this.doc, store, server: provider })
    }
    this.whenSynced = until(store, this.#ended.signal, (state) => state.synced)
    // Its rejection is for those who wait for it; an application that does not wait must not fail by it.
    this.whenSynced.catch(() => undefined)
  }

  get state(): ConnectionState {
    return this.#store.current
  }

  start(): void {
    const { user, offline, guardUnload: isGuarded = true } = this.#options
    // Others ignore who announces a first state with the clock 0, which is that of the awareness's own.
    this.awareness.setLocalState({})
    if (user) this.setUser(user)
    this.#watchProvider()
    this.#liveness.start()
    if (isGuarded) guardUnload(this.#store, this.#ended.signal)
    watchPage(
      {
        onHide: () => this.#hide(),
        onShow: () => this.#show(),
        onWake: () => {
          this.#dialer.hurry()
          this.#liveness.check()
        },
        onOffline: () => this.#liveness.check(),
      },
      this.#ended.signal,
    )
    if (offline && this.#storageName !== undefined) void this.#keepCopy(this.#storageName)
    this.#work()
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
    this.#rest()
  }

  resume(): void {
    this.#isPaused = false
    if (this.#store.current.access === 'denied') this.#store.grant(this.#access)
    this.#work()
  }

  destroy(): void {
    this.#ended.abort(new ClientError('DESTROYED', 'the connection was destroyed'))
    this.#store.clear()
    this.#rest()
    this.#provider.destroy()
    this.doc.destroy()
  }

  #createProvider(address: string, room: string): WebsocketProvider {
    return new WebsocketProvider(address, room, this.doc, {
      connect: false,
      awareness: this.awareness,
      params: this.#access === 'read' ? { access: 'read' } : {},
      protocols: [ACKNOWLEDGING_PROTOCOL],
      WebSocketPolyfill: witnessedWebSocket(webSocketClass(this.#options.WebSocket), () => this.#openLedger()),
      // What tabs exchange that way knows no accounts and no read-only access, and would be in no ledger.
      disableBc: true,
    })
  }

  #tokenSource(): TokenSource | undefined {
    const { token: fetch } = this.#options
    if (!fetch) return undefined
    return new TokenSource({ clock: this.#clock, fetch, onRenewalFailed: (error) => this.#store.report(error) })
  }

  #watchProvider(): void {
    const provider = this.#provider
    const store = this.#store
    onAcknowledgement(provider, (count) => {
      this.#ledger.acknowledge(count)
      this.#checkSaved()
    })
    // The server has refused an edit.
    provider.messageHandlers[messageAuth] = () => store.grant('read')
    provider.on('status', ({ status }) => {
      if (status === 'disconnected') this.#forgetPeers()
      if (status !== 'connected') return
      store.change({ connection: 'online' })
      this.#dialer.opened()
    })
    provider.on('sync', (synced) => {
      if (synced) this.#dialer.synced()
      store.change({ synced })
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
        this.#liveness.sent(frame.length)
        this.#checkSaved()
      },
      received: () => this.#liveness.received(),
    }
  }

  #checkSaved(): void {
    if (this.#store.current.connection !== 'online' || !this.#ledger.settled) return
    this.#store.change({ saved: true, unsaved: 0 })
    this.#store.unblock('TOO_LARGE')
  }

  /** Sends a Step1, which every server answers. */
  #probe(): void {
    const encoder = createEncoder()
    writeVarUint(encoder, messageSync)
    writeSyncStep1(encoder, this.doc)
    this.#provider.ws?.send(toUint8Array(encoder))
  }

  /** Those whose clocks have not moved meanwhile would be ignored when the server tells of them again. */
  #forgetPeers(): void {
    for (const id of this.awareness.meta.keys()) if (id !== this.doc.clientID) this.awareness.meta.delete(id)
  }

  #work(): void {
    this.#tabs?.open()
    this.#dialer.start()
  }

  #rest(): void {
    this.#tabs?.close()
    this.#dialer.stop()
  }

  /** A page with an open socket would not be kept for the way back, and others would see its editor for a while. */
  #hide(): void {
    this.#presence = this.awareness.getLocalState()
    this.awareness.setLocalState(null)
    this.#rest()
  }

  #show(): void {
    this.awareness.setLocalState(this.#presence)
    if (!this.#isPaused && this.#store.current.access !== 'denied') this.#work()
  }

  async #keepCopy(name: string): Promise<void> {
    const store = this.#store
    const onFailed = (cause: unknown) => {
      store.change({ copy: 'failed' })
      store.report(new ClientError('OFFLINE_COPY_FAILED', 'the browser does not keep a copy', { cause }))
    }
    store.change({ copy: 'opening' })
    try {
      const { keepCopy } = await import('./offline.ts')
      if (this.#ended.signal.aborted) return
      keepCopy({
        name,
        doc: this.doc,
        clock: this.#clock,
        onKept: () => store.change({ copy: 'kept' }),
        onCleared: () => store.change({ copy: 'off' }),
        onFailed,
      })
    } catch (cause) {
      onFailed(cause)
    }
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
