import * as client from '@coedit/client'
import * as element from '@coedit/client/element'
import * as hocuspocus from '@coedit/client/hocuspocus'
import * as react from '@coedit/client/react'
import * as provider from '@coedit/client/y-websocket'
import * as server from '@coedit/server'
import { WebSocket } from 'ws'
import * as Y from 'yjs'
import edit from './joint.cjs'

const [, , data] = process.argv
await edit({ Y, server, client, WebSocket, data })
// The other entries load as well.
console.error([element, react, provider, hocuspocus].flatMap(Object.keys).join())
