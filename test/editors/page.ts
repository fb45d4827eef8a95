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
export interface Shared {
  readonly parent: HTMLElement
  readonly doc: Y.Doc
  readonly provider: WebsocketProvider
  readonly user: { readonly name: string; readonly color: string }
  /** Whether this page makes what an editor needs in an empty document. Only one page of a document may. */
  readonly isFirst: boolean
}

/** What the script has of a page. */
export interface Page {
  readonly editor: Editor
  readonly provider: WebsocketProvider
}

/** Puts an editor into the page, over the stock provider. The address says where the server is and what the document. */
export function showEditor(createEditor: (shared: Shared) => Editor): void {
  const params = new URLSearchParams(location.search)
  const asked = (name: string): string => {
    const value = params.get(name)
    if (value === null) throw new Error(`the address does not say '${name}'`)
    return value
  }
  const doc = new Y.Doc()
  // The longest pause between two attempts is shortened, so that a test does not wait for it.
  const provider = new WebsocketProvider(asked('server'), asked('document'), doc, { maxBackoffTime: 100 })
  const user = { name: asked('name'), color: '#0b7285' }
  provider.awareness.setLocalStateField('user', user)
  const parent = document.body.appendChild(document.createElement('div'))
  const editor = createEditor({ parent, doc, provider, user, isFirst: params.has('first') })
  globalThis.page = { editor, provider }
}

declare global {
  var page: Page
}
