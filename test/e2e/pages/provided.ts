import { bindTextarea, type Connection, showPeers } from '@coedit/client'
import { defineCoeditTextarea } from '@coedit/client/element'
import { useCarets, useConnectionState, usePeers, useTextarea } from '@coedit/client/react'
import { createElement, StrictMode } from 'react'
import { createRoot } from 'react-dom/client'

/** What a part of the client is that has a provider's connection to work on. */
export type Kind = 'textarea' | 'React' | 'element'

/** What a page does as it starts: it opens a document by a provider. */
export type Start = (kind: Kind, url: string, document: string, name: string) => void

/**
 * Shows the document of a provider in an editor of this kind, and gives the page's title its state.
 *
 * @param connectionOf gives the provider's connection, however often it is called
 */
export function show(kind: Kind, connectionOf: () => Connection): void {
  SHOWN[kind](connectionOf)
}

const SHOWN: Readonly<Record<Kind, (connectionOf: () => Connection) => void>> = {
  textarea(connectionOf) {
    const connection = connectionOf()
    const textarea = document.body.appendChild(document.createElement('textarea'))
    const binding = bindTextarea(textarea, connection.text, { awareness: connection.awareness })
    showPeers(binding, connection.awareness)
    connection.subscribe(({ saved }) => tell(saved))
  },
  React(connectionOf) {
    const root = document.body.appendChild(document.createElement('main'))
    createRoot(root).render(createElement(StrictMode, null, createElement(Editor, { connectionOf })))
  },
  element(connectionOf) {
    const connection = connectionOf()
    defineCoeditTextarea()
    const element = document.createElement('coedit-textarea')
    element.toggleAttribute('carets')
    element.addEventListener('coedit-state', ({ detail }) => tell(detail.saved))
    element.connection = connection
    document.body.append(element)
  },
}

function Editor({ connectionOf }: { readonly connectionOf: () => Connection }) {
  const connection = connectionOf()
  const { ref, binding } = useTextarea(connection)
  useCarets(connection, binding)
  tell(useConnectionState(connection).saved)
  return createElement('textarea', { ref, title: `${usePeers(connection).map(({ name }) => name)}` })
}

function tell(saved: boolean): void {
  document.title = saved ? 'Saved' : 'Saving…'
}

declare global {
  /** What a page has of y-websocket.ts or hocuspocus.ts. */
  var provided: { readonly start: Start }
}
