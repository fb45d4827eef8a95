import { once } from 'node:events'
import { connect } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { startBesieged } from '../support/besieged.ts'
import { Bystanders } from '../support/bystanders.ts'
import { requestEvents } from '../support/event-stream.ts'
import { speak } from '../support/raw-http.ts'
import { openRawSocket } from '../support/raw-socket.ts'

const release = onTestFinished
const document = 'notes'

async function attack() {
  const { url, others } = await startBesieged({ release, options: { requestTimeoutMs: 100 } })
  const bystanders = await Bystanders.join({ release, url, others, document })
  return { url, bystanders, say: (...parts: readonly string[]) => speak(release, url, ...parts) }
}

test.each<[string, string, RegExp]>([
  ['nothing at all', '', /^HTTP\/1\.1 408 /],
  ['headers that do not end', 'GET /health HTTP/1.1\r\nHost: localhost\r\n', /^HTTP\/1\.1 408 /],
  ['an upgrade that does not end', `GET /${document} HTTP/1.1\r\nUpgrade: websocket\r\n`, /^HTTP\/1\.1 408 /],
  ['headers of 20 KB', `GET /health HTTP/1.1\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, /^HTTP\/1\.1 431 /],
  ['what is no HTTP', '\x16\x03\x01\x02\x00\x01', /^HTTP\/1\.1 400 /],
  [
    'a body that does not end',
    'GET /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\nx',
    /^HTTP\/1\.1 413 /,
  ],
  [
    'a body in pieces',
    'POST /api/documents/notes/events HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n',
    /^HTTP\/1\.1 413 .*BODY_UNEXPECTED/s,
  ],
])('who sends %s is answered and cut, alone', async (_, said, answer) => {
  const { say, bystanders } = await attack()
  expect(await say(said)).toMatch(answer)
  await bystanders.areUnharmed()
})

test('an open event stream is no request that takes too long', async () => {
  const { url, say, bystanders } = await attack()
  const stream = await fetch(`${url}api/documents/${document}/events`)
  const reader = stream.body?.getReader()
  await reader?.read()
  // As long as the deadline of another connection takes, which is the same.
  await say('')
  await bystanders.areUnharmed()
  expect(await reader?.read()).toMatchObject({ done: false })
  await reader?.cancel()
})

test('who asks for the heads of event streams leaves no stream behind', async () => {
  const { url, others, server } = await startBesieged({ release })
  const bystanders = await Bystanders.join({ release, url, others, document })
  for (let index = 0; index < 50; index++) {
    const answer = await fetch(`${url}api/documents/new-${index}/events`, { method: 'HEAD' })
    expect(answer.status).toBe(200)
  }
  while (server.stats.documents > 2) await bystanders.areUnharmed()
})

test('who asks for event streams on one connection all at once, and goes, leaves no stream behind', async () => {
  const { url, others, server } = await startBesieged({ release })
  const bystanders = await Bystanders.join({ release, url, others, document })
  const socket = connect(Number(new URL(url).port), new URL(url).hostname)
  for (let index = 0; index < 3; index++) {
    socket.write(`GET /api/documents/new-${index}/events HTTP/1.1\r\nHost: localhost\r\n\r\n`)
  }
  await once(socket, 'data')
  socket.destroy()
  while (server.stats.documents > 2) await bystanders.areUnharmed()
})

test('who asks for a thousand things at once is cut before they are answered', async () => {
  const { say, bystanders } = await attack()
  const answer = await say('GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(1000))
  expect(answer.split('HTTP/1.1 ').length - 1).toBeLessThan(10)
  await bystanders.areUnharmed()
})

test('who reads nothing of an event stream is cut after stallTimeoutMs', async () => {
  const { url, others, server } = await startBesieged({ release, options: { stallTimeoutMs: 1000 } })
  const bystanders = await Bystanders.join({ release, url, others, document })
  await server.edit('large', (doc) => doc.getText('text').insert(0, 'x'.repeat(16_000_000)))
  const stream = await requestEvents({ release, url, segment: 'large' })
  await once(stream, 'readable')
  expect(server.stats.documents).toBe(3)
  while (server.stats.documents > 2) await bystanders.areUnharmed()
})

test('who is refused a WebSocket and does not hang up holds neither the socket nor the end of the server', async () => {
  const { url, server } = await startBesieged({ release })
  const socket = connect({ port: Number(new URL(url).port), host: new URL(url).hostname, allowHalfOpen: true })
  release(async () => {
    socket.destroy()
  })
  const lines = [`GET /${document} HTTP/1.1`, 'Host: localhost', 'Origin: https://evil.example']
  socket.write([...lines, 'Connection: Upgrade', 'Upgrade: websocket', '\r\n'].join('\r\n'))
  const [answer] = await once(socket, 'data')
  expect(String(answer)).toMatch(/^HTTP\/1\.1 403 /)
  await server.close()
})

test('a flood of connections that say nothing ends with their deadline', async () => {
  const { say, bystanders } = await attack()
  const answers = Promise.all(Array.from({ length: 500 }, () => say('')))
  await bystanders.areUnharmed()
  for (const answer of await answers) expect(answer).toMatch(/^HTTP\/1\.1 408 /)
  await bystanders.areUnharmed()
})

test('R31 an upgrade on a connection that is upgraded is no frame', async () => {
  const { url, bystanders } = await attack()
  const socket = await openRawSocket({ release, url, target: `/${document}` })
  socket.write(Buffer.from(`GET /${document} HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n`))
  expect((await socket.closed).code).toBe(1002)
  await bystanders.areUnharmed()
})
