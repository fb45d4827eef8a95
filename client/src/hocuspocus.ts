import type { HocuspocusProvider } from '@hocuspocus/provider'
import { Awareness } from 'y-protocols/awareness'
import { systemClock } from './common/clock.ts'
import { ClientError } from './common/errors.ts'
import type { Connection } from './connection/connection.ts'
import { refusal } from './connection/dialer.ts'
import {
  connectionFor,
  expectName,
  ProvidedConnection,
  type ProviderOptions,
} from './connection/provided-connection.ts'

export type { ProviderOptions }

/** A document is denied by a message, with a reason and no code: what the server would close a WebSocket with. */
const DENIED = 4403
/** How the reason begins where it was the application's function for tokens that failed. */
const TOKEN_FAILED = 'Failed to get token'
const READ_ONLY = 'readonly'

/**
 * A connection, as `connect` gives one, of a HocuspocusProvider (2.15, 3.x or 4.x) that the application has already. The
 * provider opens and closes the sockets as ever; `state.saved` is `unsyncedChanges === 0`, which a coedit server lets come
 * true when all is durable, and one of Hocuspocus when all is in its memory. Throws DOCUMENT_INVALID where the provider
 * was given no name.
 *
 * A provider has one connection, so that this may be called at each rendering; further options of later calls count for
 * nothing. `destroy()` ends the connection alone: the provider, its document and its awareness are the application's;
 * where the provider is destroyed, so is the connection. `pause()` and `resume()` are its `disconnect()` and
 * `connect()`, or where it shares a socket `detach()` and `attach()`.
 */
export function connectionOf(provider: HocuspocusProvider, options: ProviderOptions = {}): Connection {
  return connectionFor(provider, () => {
    expectName(provider.configuration.name)
    return new ProviderConnection(provider, options)
  })
}

interface Closing {
  readonly event?: { readonly code?: number }
}

class ProviderConnection extends ProvidedConnection {
  readonly #provider: HocuspocusProvider
  readonly #listeners: Parameters<HocuspocusProvider['on']>[] = []
  /** Whether the present socket has come to be open. */
  #isOpen = false
  #isPaused = false
  /** What the provider counted last. */
  #count: number
  /** The edit that is being timed, and how many messages up to its own are still to be acknowledged. */
  #timed: { left: number; readonly at: number } | undefined
  /** Whether what is applied at this moment comes from the server: 2.15 also applies what other tabs send. */
  #isFromServer = false

  constructor(provider: HocuspocusProvider, options: ProviderOptions) {
    const { document: doc } = provider
    // Whoever shares no presence still has some of their own.
    const awareness = provider.awareness ?? new Awareness(doc)
    super({ provider, doc, awareness, access: accessOf(provider) }, options)
    this.#provider = provider
    this.#count = provider.unsyncedChanges
  }

  override start(): void {
    super.start()
    const provider = this.#provider
    this.#on('open', () => this.#onOpen())
    this.#on('close', ({ event }: Closing) => this.#onClose(event?.code))
    this.#on('synced', () => this.store.change({ synced: provider.synced }))
    this.#on('unsyncedChanges', () => this.#onCount(provider.unsyncedChanges))
    this.#on('authenticated', () => this.#onAuthenticated())
    this.#on('authenticationFailed', ({ reason }: { readonly reason: string }) => this.#onDenied(reason))
    this.#on('message', () => this.#onMessage())
    this.#on('destroy', () => this.destroy())
    if (!this.#socket.shouldConnect) this.store.change({ connection: 'offline' })
    if (!provider.isAuthenticated) return
    this.#onOpen()
    this.store.change({ synced: provider.synced })
    this.#onCount(provider.unsyncedChanges)
  }

  override destroy(): void {
    for (const [event, listener] of this.#listeners) this.#provider.off(event, listener)
    super.destroy()
  }

  pause(): void {
    this.#isPaused = true
    this.#leave()
    // Whoever leaves a socket that others use is told of no closing.
    if (this.#isOpen) this.#onClose(undefined)
  }

  resume(): void {
    if (this.ended.signal.aborted) return
    const provider = this.#provider
    const { access, error } = this.store.current
    const isRefused = access === 'denied' || error?.code === 'TOKEN_FAILED'
    if (this.#isOpen && !isRefused) return
    this.#isPaused = false
    this.regrant(accessOf(provider))
    // 2.15 does this as it connects.
    if (typeof provider.attach === 'function') {
      // For a document to be asked for anew over a socket that is open, it has to be left.
      if (isRefused && this.#socket.status === 'connected') provider.detach()
      provider.attach()
    }
    if (provider.manageSocket === false) return
    // A socket that is being closed is not opened again otherwise.
    this.#socket.shouldConnect = true
    void provider.connect()
  }

  reconnectNow(): void {
    const socket = this.#socket
    if (socket.shouldConnect && socket.status === 'disconnected') void socket.connect()
  }

  protected override changed(update: Uint8Array, origin: unknown): void {
    if (origin === this.#provider) {
      if (this.#isFromServer) return
      // Whether the tab that has made it gets it to the server is not known here.
      this.#provider.documentUpdateHandler(update, this)
    }
    if (this.#isOpen) this.#timed ??= { left: this.#provider.unsyncedChanges, at: systemClock.now() }
    this.edited()
  }

  get #socket() {
    return this.#provider.configuration.websocketProvider
  }

  #on<Facts>(event: string, listener: (facts: Facts) => void): void {
    this.#provider.on(event, listener)
    this.#listeners.push([event, listener])
  }

  /** What a provider says over a socket that is not open is said first when it is: it leaves then. */
  #leave(): void {
    const provider = this.#provider
    if (provider.manageSocket !== false) provider.disconnect()
    else if (this.#socket.status === 'connected') provider.detach()
  }

  #onOpen(): void {
    if (this.#isPaused) {
      this.#leave()
      return
    }
    this.#isOpen = true
    this.opened()
  }

  #onClose(code: number | undefined): void {
    this.#timed = undefined
    // A provider that left its socket takes what it had for what it has.
    this.#provider.synced = false
    this.closed(this.#isOpen, code)
    this.#isOpen = false
  }

  #onAuthenticated(): void {
    const access = accessOf(this.#provider)
    this.regrant(access)
    this.store.grant(access)
    this.#onOpen()
  }

  #onDenied(reason: string): void {
    this.store.change({ synced: false, saved: false })
    if (reason.startsWith(TOKEN_FAILED)) {
      this.store.block(new ClientError('TOKEN_FAILED', reason))
    } else {
      this.store.change({ connection: 'offline' })
      this.store.deny(DENIED, reason, refusal(DENIED, reason))
    }
  }

  /** It is 1 when the document is asked for, one more with each edit, and one less with each that is stored. */
  #onCount(count: number): void {
    this.#time(this.#count - count)
    this.#count = count
    if (count === 0 && this.#provider.synced && accessOf(this.#provider) === 'write') this.saved()
  }

  #time(acknowledged: number): void {
    const timed = this.#timed
    if (!timed || acknowledged <= 0) return
    timed.left -= acknowledged
    if (timed.left > 0) return
    this.#timed = undefined
    // The system's clock may have been set back meanwhile.
    this.store.change({ saveTime: Math.max(0, systemClock.now() - timed.at) })
  }

  /** The provider applies it before it does anything else. */
  #onMessage(): void {
    this.#isFromServer = true
    queueMicrotask(() => {
      this.#isFromServer = false
    })
  }
}

function accessOf({ authorizedScope }: HocuspocusProvider): 'read' | 'write' {
  return authorizedScope === READ_ONLY ? 'read' : 'write'
}
