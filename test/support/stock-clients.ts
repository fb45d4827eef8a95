import { WebSocket as NodeWebSocket } from 'ws'
import type { Awareness } from 'y-protocols/awareness'
import { WebsocketProvider as Provider3 } from 'y-websocket'
import { WebsocketProvider as Provider1 } from 'y-websocket-v1'
import { WebsocketProvider as Provider2 } from 'y-websocket-v2'
import * as Y from 'yjs'
import type { Release } from './temporary.ts'
import { untilChanged } from './until.ts'

const PROVIDERS = { '1.5.4': Provider1, '2.1.0': Provider2, '3.1.0': Provider3 }

/** A released version of y-websocket. */
export type StockVersion = keyof typeof PROVIDERS

export const STOCK_VERSIONS: readonly StockVersion[] = ['1.5.4', '2.1.0', '3.1.0']

/** What all versions have in common. */
export interface StockProvider {
  readonly synced: boolean
  readonly wsconnected: boolean
  /** Whether it comes back after a loss. */
  readonly shouldConnect: boolean
  readonly awareness: Awareness
  connect(): void
  disconnect(): void
  destroy(): void
  on(event: 'sync', listener: (isSynced: boolean) => void): unknown
  on(event: 'connection-close', listener: () => void): unknown
  once(event: 'connection-close', listener: () => void): unknown
  off(event: 'sync', listener: (isSynced: boolean) => void): unknown
}

export interface StockOptions {
  /** Where the clean-up goes: the client is destroyed. */
  readonly release: Release
  readonly url: string
  readonly document: string
  readonly version?: StockVersion
  /** Default: an empty one. */
  readonly doc?: Y.Doc
  readonly params?: Record<string, string>
  /** Default: true. */
  readonly connect?: boolean
  /** The certificate (PEM) of a server that nobody vouches for. */
  readonly ca?: string
}

/** An unchanged y-websocket client, which reconnects by itself. */
export interface StockClient {
  readonly doc: Y.Doc
  readonly provider: StockProvider
  /** How many connections it has lost or given up. */
  readonly losses: number
  /** Resolves with the next loss. */
  lost(): Promise<void>
  /** Disconnects, and resolves when it has: before 3.x a client that reconnects earlier goes on as if nothing were. */
  leave(): Promise<void>
  /** Resolves when it is connected and has what the server has. */
  synced(): Promise<void>
  /** Resolves when it shows exactly these client ids as present, beside its own. */
  sees(...clientIds: readonly number[]): Promise<void>
}

export function stockClient(options: StockOptions): StockClient {
  const { release, url, document, version = '3.1.0', doc = new Y.Doc(), params = {}, connect = true, ca } = options
  const provider: StockProvider = new PROVIDERS[version](url, encodeURIComponent(document), doc, {
    WebSocketPolyfill: nodeWebSocket(ca && trusting(ca)),
    maxBackoffTime: 100,
    params,
    connect,
    // Clients of one process would share edits past the server.
    disableBc: true,
  })
  // As applications do: y-protocols never shows a client whose state was not set once.
  provider.awareness.setLocalStateField('name', version)
  let losses = 0
  provider.on('connection-close', () => {
    losses++
  })
  release(async () => {
    provider.destroy()
    doc.destroy()
  })
  return {
    doc,
    provider,
    get losses() {
      return losses
    },
    lost: () => new Promise((resolve) => provider.once('connection-close', resolve)),
    leave: () => {
      const lost = new Promise<void>((resolve) => provider.once('connection-close', resolve))
      provider.disconnect()
      return lost
    },
    synced: () => whenSynced(provider),
    sees: (...clientIds) => whenSeen(provider, new Set([...clientIds, doc.clientID])),
  }
}

/** A client that has everything the server has. */
export async function syncedClient(options: StockOptions): Promise<StockClient> {
  const client = stockClient(options)
  await client.synced()
  return client
}

/** What somebody gets who comes now and knows nothing. */
export async function freshCopy(options: Omit<StockOptions, 'doc'>): Promise<Y.Doc> {
  const { doc, provider } = await syncedClient(options)
  provider.destroy()
  return doc
}

/** The text that tests edit. */
export function textOf({ doc }: { readonly doc: Y.Doc }): Y.Text {
  return doc.getText('text')
}

/** Resolves when all of the clients show this text. */
export async function allRead(clients: readonly { readonly doc: Y.Doc }[], text: string): Promise<void> {
  const docs = clients.map(({ doc }) => doc)
  await untilChanged(docs, `all read '${text}'`, () => clients.every((client) => textOf(client).toString() === text))
}

function whenSynced(provider: StockProvider): Promise<void> {
  if (provider.synced) return Promise.resolve()
  return new Promise((resolve) => {
    const listen = (isSynced: boolean) => {
      if (!isSynced) return
      provider.off('sync', listen)
      resolve()
    }
    provider.on('sync', listen)
  })
}

function whenSeen({ awareness }: StockProvider, clientIds: ReadonlySet<number>): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      const present = [...awareness.getStates().keys()]
      if (present.length !== clientIds.size || !present.every((id) => clientIds.has(id))) return
      awareness.off('change', look)
      resolve()
    }
    awareness.on('change', look)
    look()
  })
}

/**
 * As browsers have it, where an error to which nobody listens harms nobody: a client that is destroyed while it connects
 * may listen no more, and `ws` would end the process, or fail whatever test has begun there since.
 */
class PatientWebSocket extends NodeWebSocket {
  constructor(...args: ConstructorParameters<typeof NodeWebSocket>) {
    super(...args)
    this.on('error', () => undefined)
  }
}

/** The class of `ws`, or one made of it, as what the clients take it for. */
export function nodeWebSocket(candidate: unknown = PatientWebSocket): typeof WebSocket {
  if (isWebSocketClass(candidate)) return candidate
  throw new Error('the class of the ws package is no WebSocket')
}

/** A class that trusts this certificate (PEM). */
export function trusting(ca: string): unknown {
  return class extends PatientWebSocket {
    constructor(address: string | URL, protocols?: string | string[]) {
      super(address, protocols, { ca })
    }
  }
}

/** The types of `ws` and of browsers differ where these clients do not tread. */
function isWebSocketClass(candidate: unknown): candidate is typeof WebSocket {
  return (
    candidate === NodeWebSocket || (typeof candidate === 'function' && candidate.prototype instanceof NodeWebSocket)
  )
}
