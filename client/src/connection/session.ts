import { Awareness } from 'y-protocols/awareness'
import * as Y from 'yjs'
import type { Clock } from '../common/clock.ts'
import { ClientError } from '../common/errors.ts'
import { raw } from '../common/raw.ts'
import { documentPath, pathSegment, socketAddress } from './address.ts'
import { storageName } from './browser-storage.ts'
import type { Connection, ConnectOptions } from './connection.ts'
import { Dialer } from './dialer.ts'
import { Liveness } from './liveness.ts'
import { SUBPROTOCOL } from './messages.ts'
import { watchPage } from './page-lifecycle.ts'
import { type OpenSocket, webSocket } from './socket.ts'
import { StateStore } from './state.ts'
import { StatedConnection } from './stated-connection.ts'
import type { Tabs } from './tabs.ts'
import { TokenSource } from './token.ts'
import { Transports } from './transports.ts'
import { guardUnload } from './unload-guard.ts'
import { webSocketClass } from './web-socket-class.ts'
import { Wire } from './wire.ts'

/** The shared text's name in the document: the same in every part of coedit. */
const TEXT_NAME = 'content'

/** A document and all that keeps it in touch with the server, the browser's other tabs and its storage. */
export class Session extends StatedConnection implements Connection {
  readonly doc = raw(new Y.Doc())
  readonly text = raw(this.doc.getText(TEXT_NAME))
  readonly awareness = raw(new Awareness(this.doc))
  readonly #options: ConnectOptions
  readonly #clock: Clock
  readonly #address: string
  readonly #room: string
  readonly #dialer: Dialer
  readonly #liveness: Liveness
  #tabs: Tabs | undefined
  #isPaused = false

  /** Throws URL_INVALID, DOCUMENT_INVALID, WEBSOCKET_MISSING or USER_MISSING. */
  constructor(options: ConnectOptions, clock: Clock) {
    if (options.offline && options.user?.id === undefined) {
      throw new ClientError('USER_MISSING', 'an offline copy needs user.id')
    }
    const store = new StateStore(options.access)
    super(store)
    this.#options = options
    this.#clock = clock
    this.#address = socketAddress(options.url)
    this.#room = pathSegment(options.document)
    const transports = this.#transports(webSocketClass(options.WebSocket))
    this.#dialer = new Dialer({
      store,
      clock,
      token: this.#tokenSource(),
      transports,
      open: (protocols, open) => this.#open(protocols, open),
    })
    this.#liveness = new Liveness({
      store,
      clock,
      probe: () => this.#dialer.wire?.probe(),
      drop: () => this.#dialer.hangUp(),
    })
  }

  start(): void {
    const { user, guardUnload: isGuarded = true } = this.#options
    this.doc.on('update', this.#onUpdate)
    if (user) this.setUser(user)
    this.#liveness.start()
    if (isGuarded) guardUnload(this.store, this.ended.signal)
    watchPage(this.#pageEvents, this.ended.signal)
    if (user?.id !== undefined) void this.#startOffline(user.id)
    this.#work()
  }

  pause(): void {
    this.#isPaused = true
    this.#rest()
  }

  resume(): void {
    this.#isPaused = false
    this.regrant(this.#options.access ?? 'write')
    this.#work()
  }

  reconnectNow(): void {
    this.#dialer.hurry()
  }

  destroy(): void {
    this.ended.abort()
    this.store.clear()
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
      onRenewalFailed: (error) => this.store.report(error),
    })
  }

  #transports(WebSocketClass: typeof WebSocket): Transports {
    const { document, access, token, httpFallback = true } = this.#options
    const isReadOnly = access === 'read'
    const url = `${this.#address}/${documentPath(document)}${isReadOnly ? '?access=read' : ''}`
    return new Transports({
      clock: this.#clock,
      server: this.#address,
      api: `${this.#address.replace('ws', 'http')}/api/documents/${this.#room}`,
      isReadOnly,
      doc: this.doc,
      // A server that allows all origins takes no cookies, and needs none where there is a token.
      credentials: token ? 'omit' : 'include',
      webSocket: webSocket(WebSocketClass, url),
      mayFallBack: httpFallback,
    })
  }

  #open(protocols: readonly string[], open: OpenSocket): Wire {
    const store = this.store
    const dialer = this.#dialer
    return Wire.open({
      protocols: [SUBPROTOCOL, ...protocols],
      open,
      doc: this.doc,
      awareness: this.awareness,
      clock: this.#clock,
      origin: this,
      onOpen: (transport) => {
        store.opened(transport)
        dialer.opened()
      },
      onSent: (bytes) => this.#liveness.sent(bytes),
      onReceived: () => {
        this.#liveness.received()
        dialer.heard()
      },
      onSynced: () => {
        dialer.synced()
        store.change({ synced: true })
      },
      onTimed: (saveTime) => store.change({ saveTime }),
      onSaved: () => this.saved(),
      onWritable: () => this.writable(this.#options.access ?? 'write'),
      onPermissionDenied: () => store.grant('read'),
      onRefused: (kind) => this.refused(kind),
      onNode: (node) => store.change({ node }),
      onClose: (code, reason) => {
        store.change({ connection: 'offline', node: null, synced: false, saved: false })
        dialer.closed(code, reason)
      },
    })
  }

  readonly #onUpdate = (_update: Uint8Array, origin: unknown): void => {
    if (origin !== this) this.edited()
  }

  #work(): void {
    if (this.#isPaused || this.ended.signal.aborted || this.store.current.access === 'denied') return
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
    const store = this.store
    const name = storageName(userId, this.#address, this.#room)
    const onFailed = (cause: unknown) => {
      store.change({ copy: 'failed' })
      store.report(new ClientError('OFFLINE_COPY_FAILED', 'the browser does not keep a copy', { cause }))
    }
    if (offline) store.change({ copy: 'opening' })
    try {
      const { keepCopy, Tabs } = await import('./offline.ts')
      if (this.ended.signal.aborted) return
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
