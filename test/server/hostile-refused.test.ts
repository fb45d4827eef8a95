import { once } from 'node:events'
import { connect } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { startServer } from '../support/process.ts'

const release = onTestFinished

/** Enough for some of the answers to meet a line that was reset: without a listener the first one ends the process. */
const ATTEMPTS = 100

/** Asks for a WebSocket and resets the line as soon as the request is on its way. */
async function askAndReset(url: string, target: string, origin: string): Promise<void> {
  const { port, hostname } = new URL(url)
  const socket = connect(Number(port), hostname)
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  const lines = [
    `GET ${target} HTTP/1.1`,
    'Host: docs.example',
    `Origin: ${origin}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  ]
  socket.write(`${lines.join('\r\n')}\r\n\r\n`, () => socket.resetAndDestroy())
  await once(socket, 'close')
}

test.each([
  ['404', '/elsewhere', 'https://docs.example'],
  ['403', '/base/notes', 'https://evil.example'],
  ['4401', '/base/notes', 'https://docs.example'],
])('THREATS transport: a line that is reset before it is refused with %s harms nobody', async (_, target, origin) => {
  const flags = ['--base-path', '/base', '--auth-secret', 'x'.repeat(32)]
  const server = await startServer({ release, flags })
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) await askAndReset(server.url, target, origin)
  expect((await fetch(`${server.url}health`)).status).toBe(200)
  expect((await server.kill('SIGTERM')).code).toBe(0)
})
