const [, , data] = process.argv
const parts = {
  Y: require('yjs'),
  server: require('@coedit/server'),
  client: require('@coedit/client'),
  WebSocket: require('ws').WebSocket,
}
require('./joint.cjs')({ ...parts, data })
// The other entries load as well.
const entries = [
  require('@coedit/client/element'),
  require('@coedit/client/react'),
  require('@coedit/client/y-websocket'),
]
console.error(entries.flatMap(Object.keys).join())
