import { connectionOf } from '@coedit/client/y-websocket'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'
import { type Start, show } from './provided.ts'

export const start: Start = (kind, url, document, name) => {
  const provider = new WebsocketProvider(url, document, new Y.Doc(), { protocols: ['coedit.v1'], disableBc: true })
  show(kind, () => connectionOf(provider, { user: { name } }))
}
