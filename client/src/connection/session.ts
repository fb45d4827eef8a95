import { Awareness } from 'y-protocols/awareness'
import * as Y from 'yjs'
import type { Clock } from '../common/clock.ts'
import { ClientError } from '../common/errors.ts'
import { raw } from '../common/raw.ts'
import { documentPath, pathSegment, socketAddress } from './address.ts'
import { storageName } from './browser-storage.ts'
import type { Connection, ConnectOptions, Profile } from './connection.ts'
import { Dialer } from './dialer.ts'
import { Liveness } from './liveness.ts'
import { SUBPROTOCOL } from './messages.ts'
import { watchPage } from './page-lifecycle.ts'
import { type ConnectionState, type ErrorListener, type StateListener, StateStore } from './state.ts'
import type { Tabs } from './tabs.ts'
import { TokenSource } from './token.ts'
import { guardUnload } from './unload-guard.ts'
import { until } from './until.ts'
import { webSocketClass } from './web-socket-class.ts'
import { Wire } from './wire.ts'

/** The shared text's name in the document: the same in every part of coedit. */
const TEXT_NAME = 'content'

/** A document and all that keeps it in touch with the server, the browser's other tabs and its storage. */
export class Session implements Connection {
  readonly doc = raw(new Y.Doc())
  readonly text = raw(this.doc.getText(TEXT_NAME))
  readonly awareness = raw(new Awareness(this.doc))
  readonly whenSynced: Promise<void>
  readonly #options: ConnectOptions
  readonly #clock: Clock
  readonly #address: string
  readonly #room: string
  readonly #WebSocket: typeof WebSocket
  readonly #store: StateStore
  readonly #ended = new AbortController()
  readonly #dialer: Dialer
  readonly #liveness: Liveness
  #tabs: Tabs | undefined
  #isPaused = false

  /** Throws URL_INVALID, DOCUMENT_INVALID, WEBSOCKET_MISSING or USER_MISSING. */
  constructor(options: ConnectOptions, clock: Clock) {
    if (options.offline && options.user?.id === undefined) {
      throw new ClientError('USER_MISSING', 'an offline copy needs user.id')
    }
    raw(this)
    const store = new StateStore(options.access)
    this.#options = options
    this.#clock = clock
    this.#address = socketAddress(options.url)
    this.#room = pathSegment(options.document)
    this.#WebSocket = webSocketClass(options.WebSocket)
    this.#store = store
    this.#dialer = new Dialer({ store, clock, token: this.#tokenSource(), open: (protocols) => this.#open(protocols) })
    this.#liveness = new Liveness({
      store,
      clock,
      probe: () => this.#dialer.wire?.probe(),
      drop: () => this.#dialer.hangUp(),
    })
    this.whenSynced = until(store, this.#ended.signal, (state) => state.synced)
    // Its rejection is for those who wait for it; an application that does not wait must not fail by it.
    this.whenSynced.catch(() => undefined)
  }

  get state(): ConnectionState {
    return this.#store.current
  }

  start(): void {
    const { user, guardUnload: isGuarded = true } = this.#options
    this.doc.on('update', this.#onUpdate)
    if (user) this.setUser(user)
    this.#liveness.start()
    if (isGuarded) guardUnload(this.#store, this.#ended.signal)
    watchPage(this.#pageEvents, this.#ended.signal)
    if (user?.id !== undefined) void this.#startOffline(user.id)
    this.#work()
  }

  subscribe(listener: StateListener): () => void {
    return this.#store.subscribe(listener)
  }

  onError(listener: ErrorListener): () => void {
    return this.#store.onError(listener)
  }

  flush(): Promise<void> {
    return until(this.#store, this.#ended.signal, ({ saved, access }) =>
      access === 'read' ? new ClientError('DENIED', 'this connection may only read') : saved,
    )
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
    if (this.#store.current.access === 'denied') {
      this.#store.change({ error: null })
      this.#store.grant(this.#options.access ?? 'write')
    }
    this.#work()
  }

  reconnectNow(): void {
    this.#dialer.hurry()
  }

  destroy(): void {
    this.#ended.abort()
    this.#store.clear()
    this.#liveness.stop()
    this.#rest()
    this.doc.destroy()
  }

  #tokenSource(): TokenSource | undefined {
    const { token: fetch } = this.#options
    if (!fetch) return undefined
    return new TokenSource({
      clock: this.#clock,
      fetch,
      onRenewed: (token) => this.#dialer.wire?.renew(token),
      onRenewalFailed: (error) => this.#store.report(error),
    })
  }

  #open(protocols: readonly string[]): Wire {
    const store = this.#store
    const dialer = this.#dialer
    return Wire.open({
      url: `${this.#address}/${documentPath(this.#options.document)}${this.#options.access === 'read' ? '?access=read' : ''}`,
      protocols: [SUBPROTOCOL, ...protocols],
      WebSocket: this.#WebSocket,
      doc: this.doc,
      awareness: this.awareness,
      clock: this.#clock,
      origin: this,
      onOpen: () => {
        store.opened()
        dialer.opened()
      },
      onSent: (bytes) => this.#liveness.sent(bytes),
      onReceived: () => this.#liveness.received(),
      onSynced: () => {
        dialer.synced()
        store.change({ synced: true })
      },
      onTimed: (saveTime) => store.change({ saveTime }),
      onSaved: () => store.change({ saved: true, unsaved: 0, error: null }),
      onWritable: () => {
        if (store.current.access === 'read') store.grant(this.#options.access ?? 'write')
      },
      onPermissionDenied: () => store.grant('read'),
      onFull: () => store.block(new ClientError('FULL', 'the document is full: the server stores only deletions')),
      onTooDeep: () => store.report(new ClientError('TOO_DEEP', 'a value was nested too deep, and is deleted')),
      onPresenceRefused: () =>
        store.report(new ClientError('PRESENCE_REFUSED', 'the server does not show what is in the awareness state')),
      onClose: (code, reason) => {
        store.change({ connection: 'offline', synced: false, saved: false })
        dialer.closed(code, reason)
      },
    })
  }

  readonly #onUpdate = (_update: Uint8Array, origin: unknown): void => {
    if (origin !== this) this.#store.change({ unsaved: this.#store.current.unsaved + 1, saved: false })
  }

  #work(): void {
    if (this.#isPaused || this.#ended.signal.aborted || this.#store.current.access === 'denied') return
    this.#tabs?.open()
    this.#dialer.start()
  }

  #rest(): void {
    this.#tabs?.close()
    this.#dialer.stop()
  }

  readonly #pageEvents = {
    // Some browsers keep no page with an open socket for the way back, and others would see its editor for a while.
    onHide: () => this.#rest(),
    onShow: () => this.#work(),
    onWake: () => {
      this.#dialer.hurry()
      this.#liveness.check()
    },
    onOffline: () => this.#liveness.check(),
  }

  /** Keeps a copy and talks to the other tabs, as far as that is wanted. */
  async #startOffline(userId: string): Promise<void> {
    const { offline = false, tabs = true, access = 'write' } = this.#options
    if (!offline && !tabs) return
    const store = this.#store
    const name = storageName(userId, this.#address, this.#room)
    const onFailed = (cause: unknown) => {
      store.change({ copy: 'failed' })
      store.report(new ClientError('OFFLINE_COPY_FAILED', 'the browser does not keep a copy', { cause }))
    }
    if (offline) store.change({ copy: 'opening' })
    try {
      const { keepCopy, Tabs } = await import('./offline.ts')
      if (this.#ended.signal.aborted) return
      if (tabs && access === 'write') {
        this.#tabs = new Tabs({ name, doc: this.doc, store, server: this })
        this.#work()
      }
      if (!offline) return
      const onKept = () => store.change({ copy: 'kept' })
      const onCleared = () => store.change({ copy: 'off' })
      keepCopy({ name, doc: this.doc, clock: this.#clock, onKept, onCleared, onFailed })
    } catch (cause) {
      onFailed(cause)
    }
  }
}
