import { once } from 'node:events'
import { Agent, type IncomingMessage, request } from 'node:http'
import { expect, onTestFinished, test } from 'vitest'
import { edit } from '../support/edits.ts'
import { startInProcess } from '../support/in-process-server.ts'

const release = onTestFinished
const JSON_PATCH = { 'content-type': 'application/json-patch+json' }
const IN_PIECES = { 'transfer-encoding': 'chunked' }
const BINARY = { 'content-type': 'application/octet-stream' }

interface Asked {
  readonly method: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
}

/** Asks over the one connection that an agent may have. */
async function start() {
  const { url } = await startInProcess({ release })
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  release(async () => agent.destroy())
  return async ({ method, path, headers, body }: Asked) => {
    const asking = request(`${url}${path}`, { agent, method, headers }).end(body)
    const [answer]: IncomingMessage[] = await once(asking, 'response')
    answer?.resume()
    await once(answer ?? expect.fail(), 'end')
    return { status: answer?.statusCode, isSameConnection: asking.reusedSocket }
  }
}

test('a connection takes further requests whatever was asked and answered before', async () => {
  const ask = await start()
  await ask({ method: 'GET', path: 'health' })
  const add = '[{"op":"add","path":"/a","value":1}]'
  const content = 'api/documents/notes/content'
  const asked: readonly (readonly [number, Asked])[] = [
    [201, { method: 'PUT', path: 'api/documents/notes', headers: { 'content-type': 'text/plain' }, body: 'hello' }],
    [409, { method: 'PUT', path: 'api/documents/notes' }],
    [204, { method: 'PATCH', path: `${content}?root=map`, headers: JSON_PATCH, body: add }],
    [
      204,
      { method: 'PATCH', path: `${content}?root=map`, headers: { ...JSON_PATCH, 'idempotency-key': 'k' }, body: add },
    ],
    [204, { method: 'PATCH', path: `${content}?root=map`, headers: { ...JSON_PATCH, ...IN_PIECES }, body: add }],
    [409, { method: 'PATCH', path: content, headers: JSON_PATCH, body: add }],
    [400, { method: 'PATCH', path: content, headers: JSON_PATCH, body: '{' }],
    [204, { method: 'POST', path: 'api/documents/notes/updates', headers: BINARY, body: edit('more').update }],
    [400, { method: 'POST', path: 'api/documents/notes/updates', headers: BINARY, body: 'no update' }],
    [200, { method: 'GET', path: content }],
    [200, { method: 'GET', path: 'api/documents/notes/update' }],
    [200, { method: 'GET', path: 'api/documents' }],
    [200, { method: 'GET', path: 'api/documents/notes' }],
    [404, { method: 'GET', path: 'api/documents/missing' }],
    [204, { method: 'PUT', path: 'api/documents/notes/presence/me', body: '{"name":"me"}' }],
    [200, { method: 'GET', path: 'api/documents/notes/presence' }],
    [204, { method: 'DELETE', path: 'api/documents/notes/presence/me' }],
    [204, { method: 'POST', path: 'api/documents/notes/disconnect' }],
    [204, { method: 'DELETE', path: 'api/documents/notes' }],
    [410, { method: 'GET', path: content }],
    [404, { method: 'DELETE', path: 'api/nowhere' }],
    [200, { method: 'HEAD', path: 'health' }],
  ]
  for (const [status, one] of asked) {
    expect([one, await ask(one)]).toEqual([one, { status, isSameConnection: true }])
  }
})

test('one whose body was not read takes none', async () => {
  const ask = await start()
  const first = await ask({ method: 'POST', path: 'health', body: 'GET /ready HTTP/1.1\r\n\r\n' })
  expect(first.status).toBe(413)
  expect(await ask({ method: 'GET', path: 'health' })).toEqual({ status: 200, isSameConnection: false })
})
