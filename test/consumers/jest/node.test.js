/** @jest-environment node */
const { WebSocket } = require('ws')
const edit = require('./joint.js')

test('connects in Node', async () => {
  const connection = await edit({ WebSocket })
  connection.destroy()
})
