import { bindTextarea, type Connection, showPeers } from '@coedit/client'
import { defineCoeditTextarea } from '@coedit/client/element'
import { useCarets, useConnectionState, usePeers, useTextarea } from '@coedit/client/react'
import { connectionOf } from '@coedit/client/y-websocket'
import { createElement, StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'

/** What a part of the client is that has a provider's connection to work on. */
export type Kind = 'textarea' | 'React' | 'element'

/** Opens a document by a provider of y-websocket in an editor of this kind, and gives the page's title its state. */
export function start(kind: Kind, url: string, document: string, name: string): void {
  const provider = new WebsocketProvider(url, document, new Y.Doc(), { protocols: ['coedit.v1'], disableBc: true })
  const connection = connectionOf(provider, { user: { name } })
  STARTS[kind](connection, provider)
}

const STARTS: Readonly<Record<Kind, (connection: Connection, provider: WebsocketProvider) => void>> = {
  textarea(connection) {
    const textarea = document.body.appendChild(document.createElement('textarea'))
    const binding = bindTextarea(textarea, connection.text, { awareness: connection.awareness })
    showPeers(binding, connection.awareness)
    connection.subscribe(({ saved }) => tell(saved))
  },
  React(_, provider) {
    const root = document.body.appendChild(document.createElement('main'))
    createRoot(root).render(createElement(StrictMode, null, createElement(Editor, { provider })))
  },
  element(connection) {
    defineCoeditTextarea()
    const element = document.createElement('coedit-textarea')
    element.toggleAttribute('carets')
    element.addEventListener('coedit-state', ({ detail }) => tell(detail.saved))
    element.connection = connection
    document.body.append(element)
  },
}

function Editor({ provider }: { readonly provider: WebsocketProvider }) {
  const connection = connectionOf(provider)
  const { ref, binding } = useTextarea(connection)
  useCarets(connection, binding)
  tell(useConnectionState(connection).saved)
  return createElement('textarea', { ref, title: `${usePeers(connection).map(({ name }) => name)}` })
}

function tell(saved: boolean): void {
  document.title = saved ? 'Saved' : 'Saving…'
}

declare global {
  /** What a page has of this module. */
  var provided: typeof import('./y-websocket.ts')
}
