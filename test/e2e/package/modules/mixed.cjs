/** An application of CommonJS that has its own Yjs by `require`, and coedit by `import()`. */
const Y = require('yjs')
const { WebSocket } = require('ws')
const edit = require('./joint.cjs')

const [, , data, whose] = process.argv

async function main() {
  const [server, client] = await Promise.all([import('@coedit/server'), import('@coedit/client')])
  await edit({ Y: whose === 'ours' ? server.Y : Y, server, client, WebSocket, data })
}

main()
