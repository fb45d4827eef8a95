import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { get } from 'node:https'
import { json } from 'node:stream/consumers'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { WebSocket } from 'ws'
import * as Y from 'yjs'
import { afterTests } from '../support/after-tests.ts'
import { contains, open } from '../support/connections.ts'
import { partsOf } from '../support/event-stream.ts'
import { type Certificate, makeCertificate } from '../support/nginx.ts'
import { type ServerProcess, startServer } from '../support/process.ts'
import { findProgram } from '../support/programs.ts'
import { KINDS, type Kind, startReverseProxy } from '../support/reverse-proxies.ts'
import { syncedClient, textOf } from '../support/stock-clients.ts'
import { untilChanged } from '../support/until.ts'

const release = onTestFinished
const releaseAll = afterTests()
/** As stock clients are given it, and as they send it. */
const DOCUMENT = 'notes/été 1'
const HOST = 'docs.example.com'
const ORIGIN = `https://${HOST}`

let certificate: Certificate

beforeAll(async () => {
  certificate = await makeCertificate(releaseAll)
})

interface Scene {
  readonly url: string
  readonly server: ServerProcess
}

async function startBehind(
  kind: Kind,
  flags: readonly string[] = [],
  change?: (config: string) => string,
): Promise<Scene> {
  const server = await startServer({ release, flags: ['--base-path', '/team', ...flags] })
  const upstream = new URL(server.url).host
  return { url: await startReverseProxy({ release, kind, upstream, certificate, ...(change && { change }) }), server }
}

async function ask(url: string, headers: Readonly<Record<string, string>> = {}): Promise<IncomingMessage> {
  const request = get(url, { ca: certificate.pem, servername: 'localhost', headers, agent: false })
  release(async () => {
    request.destroy()
  })
  const [response]: IncomingMessage[] = await Promise.race([once(request, 'upgrade'), once(request, 'response')])
  return response
}

/** What an upgrade is answered with that a page of this origin asks for. */
async function upgradeStatus(url: string, origin: string): Promise<number | undefined> {
  const handshake = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13' }
  const key = randomBytes(16).toString('base64')
  return (await ask(`${url}notes`, { ...handshake, 'sec-websocket-key': key, host: HOST, origin })).statusCode
}

/** The class of `ws`, which trusts this certificate. */
function trusting(ca: string) {
  return class extends WebSocket {
    constructor(address: string | URL, protocols?: string | string[]) {
      super(address, protocols, { ca })
    }
  }
}

/** A server that answers with what it was asked. Resolves with its address. */
async function startEcho(): Promise<string> {
  const server = createServer(({ url, headers }, response) => response.end(JSON.stringify({ url, headers })))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  release(async () => {
    server.close()
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server listens on no port')
  return `127.0.0.1:${address.port}`
}

describe.each(Object.entries(KINDS))('%s, as server/deploy has it,', (_, kind) => {
  const isMissing = findProgram(kind.program) === undefined
  const reason = `no ${kind.program} found: install it with the package manager of your system`

  test('leads clients of ours, stock clients and event streams to one document with a slash in its name', async ({
    skip,
  }) => {
    if (isMissing) return skip(reason)
    const { url } = await startBehind(kind)
    // Unlike the tests' stock clients, which encode it, applications pass the name as it is.
    const stock = await syncedClient({
      release,
      url: `${url.replace('https:', 'wss:')}notes`,
      document: 'été 1',
      ca: certificate.pem,
    })
    const connection = open({ url, document: DOCUMENT, WebSocket: trusting(certificate.pem) })
    await connection.flush()
    const text = 'twenty bytes of text'.repeat(50_000)
    connection.text.insert(0, text)
    await connection.flush()
    const shared = stock.doc.getText('content')
    await untilChanged([stock.doc], 'the stock client has it', () => shared.length === text.length)
    shared.insert(0, 'by a stock client: ')
    await contains(connection, `by a stock client: ${text}`)

    const follower = new Y.Doc()
    const stream = await ask(`${url}api/documents/${encodeURIComponent(DOCUMENT)}/events`)
    let heard = 0
    for await (const part of partsOf(stream.setEncoding('utf8'))) {
      if (part.kind !== 'event') continue
      Y.applyUpdate(follower, Buffer.from(part.data, 'base64'))
      if (follower.getText('content').length < shared.length) continue
      // Each edit leaves the stream as it comes.
      if (++heard === 3) break
      shared.insert(0, '.')
    }
    expect(follower.getText('content').toString()).toBe(shared.toString())
    textOf(stock).insert(0, 'still here')
    await connection.flush()
    expect(stock.losses).toBe(0)
  })

  test('lets pages of the host that the world sees connect, and no others', async ({ skip }) => {
    if (isMissing) return skip(reason)
    const { url, server } = await startBehind(kind, ['--public-origin', 'https://elsewhere.example'])
    expect(await upgradeStatus(url, 'https://evil.example')).toBe(421)
    await server.logs('"code":"HOST_UNKNOWN"')
    const named = await startBehind(kind, ['--public-origin', ORIGIN])
    expect(await upgradeStatus(named.url, ORIGIN)).toBe(101)
    expect(await upgradeStatus(named.url, 'https://evil.example')).toBe(403)
    await named.server.logs('"code":"FORBIDDEN"')
  })

  test('passes on the path as it came, the host, and whom it speaks for', async ({ skip }) => {
    if (isMissing) return skip(reason)
    const url = await startReverseProxy({ release, kind, upstream: await startEcho(), certificate })
    const headers = { host: HOST, 'x-forwarded-for': '203.0.113.9' }
    expect(await json(await ask(`${url}d/a%2Fb//%C3%A9?x=%20`, headers))).toMatchObject({
      url: '/team/d/a%2Fb//%C3%A9?x=%20',
      headers: { host: HOST, 'x-forwarded-for': expect.stringMatching(/(^|, )127\.0\.0\.1$/) },
    })
  })
})

test('Apache without ProxyPreserveHost hides the host, for which publicOrigin stands', async ({ skip }) => {
  const kind = KINDS.Apache
  if (findProgram(kind.program) === undefined) return skip('no apache2 found: install apache2-bin')
  const change = (config: string) => config.replace('ProxyPreserveHost On', '')
  const hidden = await startBehind(kind, [], change)
  expect(await upgradeStatus(hidden.url, ORIGIN)).toBe(403)
  await hidden.server.logs('"code":"FORBIDDEN"')
  const named = await startBehind(kind, ['--public-origin', ORIGIN], change)
  expect(await upgradeStatus(named.url, ORIGIN)).toBe(101)
  expect(await upgradeStatus(named.url, 'https://evil.example')).toBe(403)
})
