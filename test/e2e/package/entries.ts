// What an application writes against the types of each entry. Only checked, never run.
import { bindTextarea, ClientError, type Connection, connect, showPeers } from '@coedit/client'
import { type CoeditTextarea, defineCoeditTextarea } from '@coedit/client/element'
import { connectionOf as connectionOfHocuspocus } from '@coedit/client/hocuspocus'
import { useCarets, useConnection, useConnectionState, usePeers, useTextarea } from '@coedit/client/react'
import * as standalone from '@coedit/client/standalone'
import { connectionOf } from '@coedit/client/y-websocket'
import { HocuspocusProvider } from '@hocuspocus/provider'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'

const connection: Connection = connect({ url: 'wss://host', document: 'notes', token: async () => 'a token' })
// The Yjs of the application is that of the package.
const text: Y.Text = connection.text
const binding = bindTextarea(document.createElement('textarea'), text, { awareness: connection.awareness })
showPeers(binding, connection.awareness).hidden = true
connection.onError((error: ClientError) => error.code satisfies string)

defineCoeditTextarea()
const element: CoeditTextarea = document.createElement('coedit-textarea')
element.addEventListener('coedit-state', ({ detail }) => detail.saved satisfies boolean)

export function Notes(): string {
  const notes = useConnection({ url: 'wss://host', document: 'notes', user: { name: 'Ann' } })
  const { ref, binding: bound } = useTextarea(notes)
  ref(null)
  useCarets(notes, bound)
  return `${useConnectionState(notes).connection} ${usePeers(notes).map(({ name }) => name)}`
}

const provider = new WebsocketProvider('wss://host', 'notes', connection.doc, { protocols: ['coedit.v1'] })
element.connection = connectionOf(provider, { text, user: { name: 'Ann' } })

const hocuspocus = new HocuspocusProvider({ url: 'wss://host', name: 'notes' })
element.connection = connectionOfHocuspocus(hocuspocus, { user: { name: 'Ann' } })

standalone.bindTextarea(document.createElement('input'), new standalone.Y.Doc().getText('content'))
standalone.defineCoeditTextarea()

// Types that are `any` for want of a file would take these.
// @ts-expect-error the document is missing
connect({ url: 'wss://host' })
// @ts-expect-error an element takes no number as its token
element.token = 1
// @ts-expect-error a hook takes options
useConnection satisfies () => Connection | null
// @ts-expect-error a document is no provider
connectionOf(connection.doc)
// @ts-expect-error nor is it one of Hocuspocus
connectionOfHocuspocus(connection.doc)
// @ts-expect-error there is no such export
standalone.nothing
// @ts-expect-error an error has no number as its code
new ClientError('DENIED', 'no').code satisfies number
// @ts-expect-error a text is no document
new Y.Text() satisfies Y.Doc
