import type { Awareness } from 'y-protocols/awareness'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'

/** What the script asks of an editor; all else it does by the keyboard. */
export interface Editor {
  focus(): void
  /** What the editor holds: its own model, not the shared types. Between lines or blocks are line feeds. */
  text(): string
  /** The part of it in front of the caret. */
  textBeforeCaret(): string
}

/** What an editor is given by the page. */
export interface Shared<Provider = WebsocketProvider> {
  readonly parent: HTMLElement
  readonly doc: Y.Doc
  readonly provider: Provider
  readonly user: { readonly name: string; readonly color: string }
  /** Whether this page makes what an editor needs in an empty document. Only one page of a document may. */
  readonly isFirst: boolean
}

/** What leads to the server. */
export interface Line<Provider> {
  readonly provider: Provider
  isOnline(): boolean
  disconnect(): void
  connect(): void
}

/** What the providers of all kinds have. */
interface AnyProvider {
  readonly awareness: Awareness | null
  readonly synced: boolean
}

/** What the script has of a page. */
export interface Page extends Line<AnyProvider> {
  readonly editor: Editor
}

/** Puts an editor into the page, over the stock provider. */
export function showEditor(createEditor: (shared: Shared) => Editor): void {
  showOver(websocketLine, createEditor)
}

/** The longest pause between two attempts is shortened, so that a test does not wait for it. */
function websocketLine(server: string, document: string, doc: Y.Doc): Line<WebsocketProvider> {
  const provider = new WebsocketProvider(server, document, doc, { maxBackoffTime: 100 })
  return {
    provider,
    isOnline: () => provider.wsconnected,
    disconnect: () => provider.disconnect(),
    connect: () => provider.connect(),
  }
}

/** Puts an editor into the page. The address says where the server is and what the document. */
export function showOver<Provider extends AnyProvider>(
  open: (server: string, document: string, doc: Y.Doc) => Line<Provider>,
  createEditor: (shared: Shared<Provider>) => Editor,
): void {
  const params = new URLSearchParams(location.search)
  const asked = (name: string): string => {
    const value = params.get(name)
    if (value === null) throw new Error(`the address does not say '${name}'`)
    return value
  }
  const doc = new Y.Doc()
  const line = open(asked('server'), asked('document'), doc)
  const { provider } = line
  const user = { name: asked('name'), color: '#0b7285' }
  provider.awareness?.setLocalStateField('user', user)
  const parent = document.body.appendChild(document.createElement('div'))
  const editor = createEditor({ parent, doc, provider, user, isFirst: params.has('first') })
  globalThis.page = { editor, ...line }
}

declare global {
  var page: Page
}
