import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Release } from './temporary.ts'

/** The reference server of y-websocket 2.1.0, on a port that the system chooses. */
const SCRIPT = `
  const { WebSocketServer } = require('ws')
  const { setupWSConnection } = require('y-websocket-v2/bin/utils')
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 })
  server.on('connection', (socket, request) => setupWSConnection(socket, request))
  server.on('listening', () => console.log(server.address().port))
`

/** Starts the reference server in a process of its own. Resolves with its address, such as `ws://127.0.0.1:40000`. */
export async function startStockServer(release: Release): Promise<string> {
  const child = spawn(process.execPath, ['-e', SCRIPT], {
    cwd: import.meta.dirname,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  release(async () => {
    child.kill('SIGKILL')
    await exited
  })
  const [port] = await once(child.stdout, 'data')
  return `ws://127.0.0.1:${String(port).trim()}`
}
