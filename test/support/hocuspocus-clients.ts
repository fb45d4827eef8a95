import {
  type HocuspocusProviderConfiguration as Options4,
  HocuspocusProvider as Provider4,
  HocuspocusProviderWebsocket as Socket4,
} from '@hocuspocus/provider'
import { HocuspocusProvider as Provider2, HocuspocusProviderWebsocket as Socket2 } from 'hocuspocus-provider-v2'
import { HocuspocusProvider as Provider3, HocuspocusProviderWebsocket as Socket3 } from 'hocuspocus-provider-v3'
import type { Awareness } from 'y-protocols/awareness'
import * as Y from 'yjs'
import { nodeWebSocket } from './stock-clients.ts'
import type { Release } from './temporary.ts'

/** A released version of @hocuspocus/provider. */
export type HocuspocusVersion = '2.15.3' | '3.4.4' | '4.8.0'

export const HOCUSPOCUS_VERSIONS: readonly HocuspocusVersion[] = ['2.15.3', '3.4.4', '4.8.0']

type EventName = 'synced' | 'unsyncedChanges' | 'authenticated' | 'authenticationFailed' | 'stateless' | 'close'

/** What all versions have in common. */
export interface HocuspocusProvider {
  readonly synced: boolean
  readonly unsyncedChanges: number
  readonly isAuthenticated: boolean
  readonly authorizedScope: string | undefined
  readonly awareness: Awareness | null
  on(event: EventName, listener: (facts: { readonly reason: string; readonly payload: string }) => void): unknown
  off(event: EventName, listener: () => void): unknown
  /** From 3.x on. */
  sendToken?(): Promise<void>
  startSync(): void
  sendStateless(payload: string): void
  destroy(): void
}

/** A socket of a provider, over which many documents go. */
export interface HocuspocusSocket {
  readonly status: string
  connect(): Promise<unknown> | undefined
  disconnect(): void
  destroy(): void
}

type Token = string | (() => string) | (() => Promise<string>) | null

export interface HocuspocusOptions {
  readonly document: string
  /** Default: an empty one. */
  readonly doc?: Y.Doc
  /** Default: none. */
  readonly token?: Token
  /** Whether it has a key of its own where another client has the same document on this socket; from 4.x on. */
  readonly sessionAwareness?: boolean
}

/** An unchanged client of Hocuspocus, which reconnects by itself. */
export interface HocuspocusClient {
  readonly doc: Y.Doc
  readonly provider: HocuspocusProvider
  /** What has happened so far, such as `authenticated`. */
  readonly events: readonly string[]
  /** Resolves when it has what the server has. */
  synced(): Promise<void>
  /** Resolves when it has what the server has and counts nothing that is not stored. */
  saved(): Promise<void>
  /** Resolves when this has happened so many times. */
  happens(event: EventName, times?: number): Promise<void>
  /** Resolves when it shows exactly these client ids as present, beside its own. */
  sees(...clientIds: readonly number[]): Promise<void>
}

export interface HocuspocusLine {
  readonly socket: HocuspocusSocket
  attach(options: HocuspocusOptions): HocuspocusClient
}

export interface LineOptions {
  /** Where the clean-up goes: everything is destroyed. */
  readonly release: Release
  /** That of the server. */
  readonly url: string
  readonly version?: HocuspocusVersion
}

/** A socket of its own, without documents yet. */
export function hocuspocusLine({ release, url, version = '4.8.0' }: LineOptions): HocuspocusLine {
  const { socket, provide } = MAKERS[version](url.replace(/^http/, 'ws'))
  release(async () => socket.destroy())
  return {
    socket,
    attach: (options) => {
      const doc = options.doc ?? new Y.Doc()
      const client = clientOf(doc, provide({ ...options, doc }))
      release(async () => client.provider.destroy())
      return client
    },
  }
}

/** A client with a socket of its own. */
export function hocuspocusClient(options: LineOptions & HocuspocusOptions): HocuspocusClient & HocuspocusLine {
  const line = hocuspocusLine(options)
  return { ...line, ...line.attach(options) }
}

type Made = HocuspocusOptions & { readonly doc: Y.Doc }

interface Makers {
  readonly socket: HocuspocusSocket
  provide(options: Made): HocuspocusProvider
}

const MAKERS: Readonly<Record<HocuspocusVersion, (url: string) => Makers>> = {
  '2.15.3': (url) => {
    const socket = new Socket2({ url, WebSocketPolyfill: nodeWebSocket(), ...PACE })
    const provide = ({ document, doc, token = null }: Made) =>
      new Provider2({ name: document, document: doc, token, websocketProvider: socket, ...QUIET })
    return { socket, provide }
  },
  '3.4.4': (url) => {
    const socket = new Socket3({ url, WebSocketPolyfill: nodeWebSocket(), ...PACE })
    const provide = ({ document, doc, token = null }: Made) => {
      const provider = new Provider3({ name: document, document: doc, token, websocketProvider: socket })
      provider.attach()
      return provider
    }
    return { socket, provide }
  },
  '4.8.0': (url) => {
    const socket = new Socket4({ url, WebSocketPolyfill: nodeWebSocket(), ...PACE })
    const provide = ({ document, doc, token = null, sessionAwareness = false }: Made) => {
      const options: Options4 = { name: document, document: doc, token, websocketProvider: socket, sessionAwareness }
      const provider = new Provider4(options)
      provider.attach()
      return provider
    }
    return { socket, provide }
  },
}

/** Tests wait for reconnects: they come as soon as may be. */
const PACE = { delay: 50, minDelay: 50, jitter: false }
/** 2.15 tells the console of what others only raise as events, and shares edits past the server. */
const QUIET = { quiet: true, preserveConnection: true, broadcast: false }

function clientOf(doc: Y.Doc, provider: HocuspocusProvider): HocuspocusClient {
  const events: string[] = []
  const names: readonly EventName[] = ['synced', 'authenticated', 'authenticationFailed', 'stateless', 'close']
  for (const name of names) {
    provider.on(name, (facts) => events.push(name, ...(facts?.reason ? [facts.reason] : [])))
  }
  // As applications do: y-protocols never shows a client whose state was not set once.
  provider.awareness?.setLocalStateField('name', 'hocuspocus')
  const until = (event: EventName, isSo: () => boolean) =>
    new Promise<void>((resolve) => {
      const look = () => {
        if (!isSo()) return
        provider.off(event, look)
        resolve()
      }
      provider.on(event, look)
      look()
    })
  return {
    doc,
    provider,
    events,
    synced: () => until('synced', () => provider.synced),
    saved: () => until('unsyncedChanges', () => provider.synced && provider.unsyncedChanges === 0),
    happens: (event, times = 1) => until(event, () => events.filter((name) => name === event).length >= times),
    sees: (...clientIds) => whenSeen(provider.awareness, new Set([...clientIds, doc.clientID])),
  }
}

function whenSeen(awareness: Awareness | null, clientIds: ReadonlySet<number>): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      const present = [...(awareness?.getStates().keys() ?? [])]
      if (present.length !== clientIds.size || !present.every((id) => clientIds.has(id))) return
      awareness?.off('change', look)
      resolve()
    }
    awareness?.on('change', look)
    look()
  })
}
