import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { type InProcessServer, startInProcess } from '../support/in-process-server.ts'

const release = onTestFinished

const LAST_CHUNK = '0\r\n\r\n'

function requestOf(document: string, { version = '1.1', query = '?as=text&root=text' } = {}): string {
  return `GET /api/documents/${document}/events${query} HTTP/${version}\r\nHost: localhost\r\n\r\n`
}

/** All that a server says on a connection. */
class Listener {
  readonly socket: Socket
  #heard = ''

  constructor({ url }: Pick<InProcessServer, 'url'>) {
    const { hostname, port } = new URL(url)
    this.socket = connect(Number(port), hostname)
    this.socket.setEncoding('latin1').on('data', (text: string) => {
      this.#heard += text
    })
    release(async () => {
      this.socket.destroy()
    })
  }

  async hears(text: string): Promise<string> {
    while (!this.#heard.includes(text)) await once(this.socket, 'data')
    return this.#heard
  }
}

function write({ server }: InProcessServer, document: string, text: string): Promise<unknown> {
  return server.edit(document, (doc) => doc.getText('text').insert(0, text))
}

async function left({ server }: InProcessServer): Promise<void> {
  while (server.stats.documents > 0) await new Promise((resolve) => setImmediate(resolve))
}

test('R56 a stream comes in chunks, and its connection ends behind the last one', async () => {
  const started = await startInProcess({ release })
  const listener = new Listener(started)
  listener.socket.write(requestOf('notes'))
  await listener.hears('event: reset')
  await write(started, 'notes', 'to be read')
  await listener.hears('to be read')
  const closed = once(listener.socket, 'close')
  await started.server.delete('notes')
  await closed
  const [head = '', body = ''] = (await listener.hears(LAST_CHUNK)).split(/\r\n\r\n(.*)/s)
  expect(head).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
  expect(head).toMatch(/transfer-encoding: chunked/i)
  expect(head).toMatch(/connection: close/i)
  expect(body.endsWith(`event: gone\ndata: {"code":"GONE"}\n\n\r\n${LAST_CHUNK}`)).toBe(true)
  expect(chunksOf(body).join('')).toMatch(/^event: reset\ndata: ""\n.*"insert":"to be read"/s)
})

test('R56 a large event is one chunk, too', async () => {
  const started = await startInProcess({ release })
  const text = 'x'.repeat(100_000)
  await write(started, 'notes', text)
  const listener = new Listener(started)
  listener.socket.write(requestOf('notes'))
  await listener.hears(text)
  const closed = once(listener.socket, 'close')
  await started.server.delete('notes')
  await closed
  const [, body = ''] = (await listener.hears(LAST_CHUNK)).split(/\r\n\r\n(.*)/s)
  expect(chunksOf(body)[0].replace(text, 'x')).toMatch(/^event: reset\ndata: "x"\nid: .*\n\n$/)
})

test('a client of HTTP/1.0, which knows no chunks, gets the events as they are', async () => {
  const started = await startInProcess({ release })
  const listener = new Listener(started)
  listener.socket.write(requestOf('notes', { version: '1.0' }))
  await listener.hears('event: reset')
  await write(started, 'notes', 'to be read')
  const heard = await listener.hears('to be read')
  expect(heard).not.toMatch(/transfer-encoding/i)
  expect(heard.split('\r\n\r\n')[1]).toMatch(/^event: reset\n/)
})

test('R56 what comes behind a stream on its connection is no request, and the stream goes on', async () => {
  const started = await startInProcess({ release })
  const listener = new Listener(started)
  listener.socket.write(requestOf('notes'))
  await listener.hears('event: reset')
  listener.socket.write('GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await write(started, 'notes', 'to be read')
  expect(await listener.hears('to be read')).not.toContain('"status":"ok"')
  const closed = once(listener.socket, 'close')
  await started.server.delete('notes')
  await closed
})

test('R56 a request that came together with that of a stream is answered behind it', async () => {
  const started = await startInProcess({ release })
  const listener = new Listener(started)
  listener.socket.write(`${requestOf('notes')}GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n`)
  await listener.hears('event: reset')
  await write(started, 'notes', 'to be read')
  await started.server.delete('notes')
  const heard = await listener.hears('"status":"ok"')
  expect(heard.indexOf(LAST_CHUNK)).toBeLessThan(heard.indexOf('"status":"ok"'))
})

test.for(['end', 'destroy', 'resetAndDestroy'] as const)(
  'a client that leaves by %s leaves nothing behind',
  async (leave) => {
    const started = await startInProcess({ release, options: { maxConnectionsPerAddress: 1 } })
    for (let visit = 0; visit < 3; visit++) {
      const listener = new Listener(started)
      listener.socket.write(requestOf('notes', { query: '' }))
      await listener.hears('text/event-stream')
      listener.socket[leave]()
      await left(started)
    }
  },
)

test('a reader who takes nothing does not hold up the end of the server', async () => {
  const started = await startInProcess({ release })
  await write(started, 'large', 'x'.repeat(4_000_000))
  const listener = new Listener(started)
  listener.socket.write(requestOf('large'))
  await listener.hears('event: reset')
  listener.socket.pause()
  await started.server.close()
})

function chunksOf(body: string): string[] {
  const chunks: string[] = []
  for (let at = 0; at < body.length; ) {
    const end = body.indexOf('\r\n', at)
    const length = Number.parseInt(body.slice(at, end), 16)
    chunks.push(body.slice(end + 2, end + 2 + length))
    at = end + 2 + length + 2
  }
  return chunks
}
