import { Awareness } from 'y-protocols/awareness'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'
import { ACKNOWLEDGING_PROTOCOL, Ledger, onAcknowledgement, recordingWebSocket } from './acknowledgement.ts'
import { pathSegment, socketAddress } from './address.ts'
import { ClientError } from './errors.ts'
import { type ConnectionState, type Progress, type StateListener, StateStore } from './state.ts'

/** The shared text's name in the document: the same in every part of coedit. */
const TEXT_NAME = 'content'

export interface ConnectOptions {
  /** The server's base address, absolute: `wss://host`, or the page's own `https://host/base/`. */
  readonly url: string
  /** The document's name, not encoded. */
  readonly document: string
  /** What other editors see of this one. */
  readonly user?: User
  /** The WebSocket class; the runtime's own unless given. Node before 22 has none: pass that of the `ws` package. */
  readonly WebSocket?: WebSocketClass
}

export interface User {
  readonly name: string
  /** As `#rrggbb`. */
  readonly color?: string
}

/** The part of a WebSocket class by which the browser's own and that of the `ws` package are told from other things. */
export type WebSocketClass = new (
  url: string,
  protocols?: string | string[],
) => { send(data: Uint8Array): void; close(): void }

export interface Connection {
  readonly doc: Y.Doc
  /** The shared text, `doc.getText('content')`. */
  readonly text: Y.Text
  readonly awareness: Awareness
  readonly state: ConnectionState
  /** Calls `listener` after each change of `state`. Returns what ends that. */
  subscribe(listener: StateListener): () => void
  /** Resolves when the server's content is here for the first time. Rejects with DENIED or DESTROYED. */
  readonly whenSynced: Promise<void>
  /**
   * Resolves when all that the document holds is durable on the server, however long that takes. Rejects with DENIED
   * or DESTROYED.
   */
  flush(): Promise<void>
  /** Closes the connection and destroys `doc` and `awareness`. */
  destroy(): void
}

/**
 * Opens a document on a server and keeps it connected until `destroy`. Throws URL_INVALID, DOCUMENT_INVALID or
 * WEBSOCKET_MISSING.
 */
export function connect(options: ConnectOptions): Connection {
  const address = socketAddress(options.url)
  const room = pathSegment(options.document)
  const Base = webSocketClass(options.WebSocket)

  const doc = new Y.Doc()
  const awareness = new Awareness(doc)
  if (options.user) awareness.setLocalStateField('user', options.user)

  const store = new StateStore()
  const ended = new AbortController()
  let ledger = new Ledger()
  const change = (progress: Partial<Progress>) => store.set({ ...store.current, ...progress })
  const checkSaved = () => change({ saved: store.current.connection === 'online' && ledger.settled })
  const openLedger = () => {
    ledger = new Ledger()
    return ledger
  }

  const provider = new WebsocketProvider(address, room, doc, {
    connect: false,
    awareness,
    protocols: [ACKNOWLEDGING_PROTOCOL],
    WebSocketPolyfill: recordingWebSocket(Base, openLedger, checkSaved),
    // Tabs would exchange edits by a channel that knows no accounts and no read-only access, and what came that way
    // would be in no ledger.
    disableBc: true,
  })
  onAcknowledgement(provider, (count) => {
    ledger.acknowledge(count)
    checkSaved()
  })
  provider.on('status', ({ status }) => {
    if (status === 'connected') change({ connection: 'online' })
  })
  provider.on('sync', (synced) => change({ synced }))
  provider.on('connection-close', () => change({ connection: 'offline', synced: false, saved: false }))
  provider.on('closed', ({ code, reason }) => store.set({ ...store.current, access: 'denied', code, reason }))

  const whenSynced = until(store, ended.signal, (state) => state.synced)
  // Its rejection is for those who wait for it; an application that does not wait must not fail by it.
  whenSynced.catch(() => undefined)
  provider.connect()

  return {
    doc,
    text: doc.getText(TEXT_NAME),
    awareness,
    get state() {
      return store.current
    },
    subscribe: (listener) => store.subscribe(listener),
    whenSynced,
    flush: () => until(store, ended.signal, (state) => state.saved),
    destroy() {
      ended.abort(new ClientError('DESTROYED', 'the connection was destroyed'))
      store.clear()
      provider.destroy()
      doc.destroy()
    },
  }
}

function webSocketClass(given: WebSocketClass | undefined): typeof WebSocket {
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
      else if (state.access === 'denied') reject(new ClientError('DENIED', `the server refused: ${state.reason}`))
      else return
      unsubscribe()
      ended.removeEventListener('abort', check)
    }
    const unsubscribe = store.subscribe(check)
    ended.addEventListener('abort', check)
    check()
  })
}
