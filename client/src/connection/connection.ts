import type { Awareness } from 'y-protocols/awareness'
import type * as Y from 'yjs'
import type { ConnectionState, ErrorListener, Granted, StateListener } from './state.ts'

export interface ConnectOptions {
  /** The server's base address, absolute: `wss://host`, or the page's own `https://host/base/`. */
  readonly url: string
  /** The document's name, not encoded. */
  readonly document: string
  /** Who edits. Without `user.id` nothing is kept in the browser nor exchanged between its tabs. */
  readonly user?: User
  /**
   * Gives the token that is sent as the WebSocket subprotocol `bearer.TOKEN`. Called before the first connection, before
   * the token expires (where it is a JWT that says when), and after the server has closed with 4401.
   */
  readonly token?: () => string | Promise<string>
  /** `read` asks the server for a connection that cannot write (`?access=read`). Default: `write`. */
  readonly access?: Granted['access']
  /** Whether a copy is kept in this browser, under `user.id`, which outlives the page. Default: false. */
  readonly offline?: boolean
  /**
   * Whether tabs of this browser with the same server, document and `user.id` exchange edits while one of them has no
   * connection. Not with access `read`. Default: true.
   */
  readonly tabs?: boolean
  /**
   * Whether the browser asks before the page is left with changes that are neither stored nor kept. Default: true. On a
   * server that does not acknowledge (any but coedit) it would ask after every edit.
   */
  readonly guardUnload?: boolean
  /**
   * Whether documents go by HTTP where WebSockets are blocked on the way, while the server answers plain requests.
   * Default: true.
   */
  readonly httpFallback?: boolean
  /** The WebSocket class; the runtime's own unless given. Node before 22 has none: pass that of the `ws` package. */
  readonly WebSocket?: WebSocketClass
}

export interface User extends Profile {
  /** Tells this person's data in the browser from that of others. Never sent to anybody. */
  readonly id?: string
}

/** What other editors see of this one. */
export interface Profile {
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
  /**
   * Calls `listener` with each error: those of `state.error`, OFFLINE_COPY_FAILED, and TOKEN_FAILED also while the
   * present token still serves. Returns what ends that.
   */
  onError(listener: ErrorListener): () => void
  /** Resolves when the server's content is here for the first time. Rejects with DENIED, SIGNED_OUT, GONE or DESTROYED. */
  readonly whenSynced: Promise<void>
  /**
   * Resolves when all that the document holds is durable on the server, however long that takes. Rejects with DENIED
   * (with access `read` as well), SIGNED_OUT, GONE or DESTROYED.
   */
  flush(): Promise<void>
  /** Changes what other editors see of this one. */
  setUser(user: Profile): void
  /** Closes the socket and stops the exchange with other tabs until `resume()`: work offline. */
  pause(): void
  /** Ends a pause. After a denial it tries again, with a new token. */
  resume(): void
  /** Makes the next attempt at once, where one is waited for (`state.retryAt`). Does nothing otherwise. */
  reconnectNow(): void
  /** Closes the connection and destroys `doc` and `awareness`. The offline copy stays. */
  destroy(): void
}
