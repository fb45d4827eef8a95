import type { Awareness } from 'y-protocols/awareness'
import type * as Y from 'yjs'
import { ClientError } from '../common/errors.ts'
import type { Connection, Profile } from './connection.ts'
import { StateStore } from './state.ts'
import { StatedConnection } from './stated-connection.ts'
import { guardUnload } from './unload-guard.ts'

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

/** What a provider is about. */
interface Provided {
  readonly provider: object
  readonly doc: Y.Doc
  readonly awareness: Awareness
  readonly access: 'read' | 'write'
}

/** The connection of each provider. */
const connections = new WeakMap<object, ProvidedConnection>()

/** A provider has one, so that an application may ask for it as often as it likes. */
export function connectionFor(provider: object, make: () => ProvidedConnection): Connection {
  const known = connections.get(provider)
  if (known) return known
  const connection = make()
  connections.set(provider, connection)
  connection.start()
  return connection
}

/** @throws ClientError DOCUMENT_INVALID */
export function expectName(name: unknown): void {
  if (typeof name === 'string' && name !== '') return
  throw new ClientError('DOCUMENT_INVALID', `the provider's document has no name, but ${name}`)
}

/** A connection whose sockets are those of a provider that the application has. */
export abstract class ProvidedConnection extends StatedConnection implements Connection {
  readonly doc: Y.Doc
  readonly text: Y.Text
  readonly awareness: Awareness
  readonly #key: object
  readonly #options: ProviderOptions
  /** Sockets that never opened, since one did. */
  #failures = 0

  constructor({ provider, doc, awareness, access }: Provided, options: ProviderOptions) {
    super(new StateStore(access))
    this.doc = doc
    this.text = options.text ?? doc.getText('content')
    this.awareness = awareness
    this.#key = provider
    this.#options = options
  }

  start(): void {
    const { user, guardUnload: isGuarded = true } = this.#options
    if (user) this.setUser(user)
    if (isGuarded) guardUnload(this.store, this.ended.signal)
    this.doc.on('update', this.#onUpdate)
    this.doc.on('destroy', this.#onDestroy)
  }

  abstract pause(): void
  abstract resume(): void
  abstract reconnectNow(): void

  destroy(): void {
    this.doc.off('update', this.#onUpdate)
    this.doc.off('destroy', this.#onDestroy)
    this.ended.abort()
    this.store.clear()
    connections.delete(this.#key)
  }

  /** The document has changed. Comes after the provider's own listener. */
  protected abstract changed(update: Uint8Array, origin: unknown): void

  protected opened(): void {
    this.#failures = 0
    this.store.opened()
  }

  /** @param code of the WebSocket, where it was not closed here */
  protected closed(wasOpen: boolean, code?: number): void {
    if (!wasOpen) this.#failures += 1
    this.store.change({ connection: 'offline', node: null, synced: false, saved: false })
    if (code === CLOSED_TOO_LARGE) {
      this.store.block(new ClientError('TOO_LARGE', 'the server takes no message of this size'))
    } else if (this.#failures >= UNREACHABLE_AFTER) {
      this.store.block(new ClientError('UNREACHABLE', 'the server cannot be reached'))
    }
  }

  readonly #onUpdate = (update: Uint8Array, origin: unknown) => this.changed(update, origin)
  readonly #onDestroy = () => this.destroy()
}
