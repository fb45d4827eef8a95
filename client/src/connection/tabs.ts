import * as Y from 'yjs'
import type { ConnectionState, StateStore } from './state.ts'

/** `from` and `to` are client ids of Yjs, which tell tabs apart. */
type TabMessage =
  | { readonly type: 'update'; readonly update: Uint8Array }
  | { readonly type: 'ask'; readonly from: number; readonly vector: Uint8Array }
  | { readonly type: 'answer'; readonly to: number; readonly vector: Uint8Array; readonly update: Uint8Array }

export interface TabsContext {
  /** The name of the channel, which must tell servers, documents and users apart. */
  readonly name: string
  readonly doc: Y.Doc
  readonly store: StateStore
  /** The origin of what comes from the server. */
  readonly server: unknown
}

/**
 * Exchanges edits with the other tabs of one user, document and server in this browser while one of them is not online.
 * A tab that goes offline asks, each of the others answers with what is missing there, and gets in return what it misses
 * itself; then a tab that is offline tells each of its edits. What comes in is an edit of this tab's document like any
 * other, so a tab that is online sends it to the server and has it acknowledged.
 */
export class Tabs {
  readonly #context: TabsContext
  #channel: BroadcastChannel | undefined
  #unsubscribe: () => void = () => undefined
  #isOffline = false

  constructor(context: TabsContext) {
    this.#context = context
  }

  open(): void {
    if (this.#channel || typeof BroadcastChannel === 'undefined') return
    const { name, doc, store } = this.#context
    this.#channel = new BroadcastChannel(name)
    this.#channel.onmessage = ({ data }) => this.#receive(data)
    this.#isOffline = false
    this.#unsubscribe = store.subscribe((state) => this.#follow(state))
    doc.on('update', this.#onUpdate)
    this.#follow(store.current)
  }

  close(): void {
    this.#unsubscribe()
    this.#context.doc.off('update', this.#onUpdate)
    this.#channel?.close()
    this.#channel = undefined
  }

  /** Who may not write must not have others write for them. */
  #follow({ connection, access }: ConnectionState): void {
    if (access !== 'write') {
      this.close()
      return
    }
    const wasOffline = this.#isOffline
    this.#isOffline = connection === 'offline'
    if (!this.#isOffline || wasOffline) return
    const { doc } = this.#context
    this.#post({ type: 'ask', from: doc.clientID, vector: Y.encodeStateVector(doc) })
  }

  readonly #onUpdate = (update: Uint8Array, origin: unknown): void => {
    const { server, store } = this.#context
    if (origin === this || origin === server || store.current.connection === 'online') return
    this.#post({ type: 'update', update })
  }

  #receive(data: unknown): void {
    if (!isTabMessage(data)) return
    const { doc } = this.#context
    if (data.type !== 'ask') Y.applyUpdate(doc, data.update, this)
    if (data.type === 'ask') {
      const update = Y.encodeStateAsUpdate(doc, data.vector)
      this.#post({ type: 'answer', to: data.from, update, vector: Y.encodeStateVector(doc) })
    } else if (data.type === 'answer' && data.to === doc.clientID) {
      this.#post({ type: 'update', update: Y.encodeStateAsUpdate(doc, data.vector) })
    }
  }

  #post(message: TabMessage): void {
    this.#channel?.postMessage(message)
  }
}

/** Another version of the application may be open in another tab. */
function isTabMessage(data: unknown): data is TabMessage {
  if (typeof data !== 'object' || data === null || !('type' in data)) return false
  const hasUpdate = 'update' in data && isBytes(data.update)
  const hasVector = 'vector' in data && isBytes(data.vector)
  if (data.type === 'update') return hasUpdate
  if (data.type === 'ask') return hasVector && 'from' in data && typeof data.from === 'number'
  return data.type === 'answer' && hasUpdate && hasVector && 'to' in data && typeof data.to === 'number'
}

/** A test runner may give the channel and this module different realms. */
function isBytes(value: unknown): boolean {
  return Object.prototype.toString.call(value) === '[object Uint8Array]'
}
