import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage } from 'node:http'
import { get, request as httpsRequest } from 'node:https'
import { join } from 'node:path'
import { json, text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { afterTests } from '../support/after-tests.ts'
import { bundleScript } from '../support/bundle.ts'
import { launchChromium } from '../support/chromium.ts'
import { openPage, stateIs, textIs } from '../support/demo.ts'
import { partsOf } from '../support/event-stream.ts'
import { type Certificate, makeCertificate, type Nginx, startNginx } from '../support/nginx.ts'
import { blockIn, filledIn } from '../support/papers.ts'
import { startServer } from '../support/process.ts'
import { startProxy } from '../support/proxy.ts'
import { cases } from '../support/runs.ts'
import {
  nodeWebSocket,
  type StockOptions,
  stockClient,
  syncedClient,
  textOf,
  trusting,
} from '../support/stock-clients.ts'
import { type Release, temporaryDirectory } from '../support/temporary.ts'
import { SECRET, token } from '../support/tokens.ts'
import { untilChanged } from '../support/until.ts'

/** The nginx of server/README.md, with its sub-path. */
const README = 'server/README.md'
const BASE_PATH = '/team'
const FOLLOWER = fileURLToPath(new URL('../support/event-follower.page.ts', import.meta.url))
const MB = 1_000_000

const releaseAll = afterTests()
let browser: Browser
let certificate: Certificate
let site: string
let main: string

beforeAll(async () => {
  browser = await launchChromium()
  certificate = await makeCertificate(releaseAll)
  site = await blockIn(README, '### Behind nginx', 'nginx')
  main = await blockIn(README, '### Connections and reloads', 'nginx')
})

afterAll(() => browser.close())

interface Proxied {
  readonly nginx: Nginx
  /** Where the world finds the server, with a slash at the end. */
  readonly url: string
  readonly accessLog: () => Promise<string>
}

/** The configuration of the README with nothing changed but addresses and paths, in front of this port. */
async function startReadmeNginx(upstreamPort: string): Promise<Proxied> {
  const accessLog = join(await temporaryDirectory(onTestFinished), 'access.log')
  const nginx = await startNginx({
    release: onTestFinished,
    configure: (ports) => ({
      main: filledIn(main, { '30s': '100ms' }),
      http: filledIn(site, {
        'listen 80;': `listen 127.0.0.1:${ports.http};`,
        'listen [::]:80;': '',
        'listen 443 ': `listen 127.0.0.1:${ports.https} `,
        'listen [::]:443 ssl http2;': '',
        '/etc/letsencrypt/live/docs.example.com/fullchain.pem': certificate.path,
        '/etc/letsencrypt/live/docs.example.com/privkey.pem': certificate.keyPath,
        '/var/log/nginx/coedit.log': accessLog,
        '127.0.0.1:4000': `127.0.0.1:${upstreamPort}`,
      }),
    }),
  })
  const url = `https://127.0.0.1:${nginx.ports.https}${BASE_PATH}/`
  return { nginx, url, accessLog: () => readFile(accessLog, 'utf8') }
}

async function startBehindNginx(...flags: readonly string[]): Promise<Proxied> {
  const server = await startServer({ release: onTestFinished, flags: ['--base-path', BASE_PATH, ...flags] })
  return startReadmeNginx(new URL(server.url).port)
}

function open(url: string): Promise<Page> {
  return openPage(browser, url, onTestFinished, { ignoreHTTPSErrors: true, viewport: { width: 800, height: 600 } })
}

/** A server that answers with what it was asked. Resolves with its port. */
async function startEcho(release: Release): Promise<string> {
  const server = createServer(({ url, headers }, response) => response.end(JSON.stringify({ url, headers })))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  release(async () => {
    server.close()
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server listens on no port')
  return String(address.port)
}

/** A client beyond the proxy. */
function client(url: string, options: Partial<StockOptions> = {}) {
  const document = 'notes'
  return { release: onTestFinished, url: url.replace('https:', 'wss:'), document, ca: certificate.pem, ...options }
}

/** Asks for a path below the sub-path, as the proxy of somebody at this address. */
async function ask(url: string, path: string, address = '203.0.113.9'): Promise<IncomingMessage> {
  const request = get(`${url}${path}`, { ca: certificate.pem, headers: { 'x-forwarded-for': address }, agent: false })
  onTestFinished(async () => {
    request.destroy()
  })
  const [response]: IncomingMessage[] = await once(request, 'response')
  return response
}

test('the page loads below the sub-path, over HTTP/2, and shares its text over a WebSocket', async () => {
  const { url } = await startBehindNginx()
  const ann = await open(`${url}d/a%2Fb%20%C3%A9`)
  const ben = await open(`${url}d/a%2Fb%20%C3%A9`)
  expect(await ann.locator('h1').innerText()).toBe('a/b é')
  await ann.keyboard.type('hello')
  await textIs(ben, 'hello')
  await stateIs(ann, 'Saved')
  expect(await ann.evaluate(() => performance.getEntriesByType('navigation').map((entry) => entry.toJSON()))).toEqual([
    expect.objectContaining({ nextHopProtocol: 'h2' }),
  ])
})

test('addresses without TLS, without the slash, and of a new document lead to the page', async () => {
  const { nginx, url } = await startBehindNginx()
  const page = await open(`${url}new`)
  expect(page.url()).toMatch(new RegExp(`^${url}d/[\\w-]{22}$`))
  await page.goto(url.slice(0, -1))
  expect(page.url()).toBe(url)
  const plain = await fetch(`http://127.0.0.1:${nginx.ports.http}/team/d/a%2Fb`, { redirect: 'manual' })
  expect([plain.status, plain.headers.get('location')]).toEqual([301, 'https://127.0.0.1/team/d/a%2Fb'])
})

test('each edit leaves an event stream as it comes', async () => {
  const { url } = await startBehindNginx()
  const reader = await open('about:blank')
  await reader.addInitScript({ content: await bundleScript(FOLLOWER, 'follower') })
  await reader.goto(`${url}health#${BASE_PATH}/api/documents/notes/events`)
  const writer = await syncedClient(client(url))
  for (let length = 1; length <= 5; length++) {
    textOf(writer).insert(0, 'a')
    await reader.waitForFunction((text) => document.documentElement.dataset.text === text, 'a'.repeat(length))
  }
  expect(await reader.evaluate(() => document.documentElement.dataset.opened)).toBe('1')
})

test.each(cases([5], [20]))(
  'a document of %i MB that was written offline is taken whole, and comes back as one and as events',
  async (size) => {
    const { nginx, url } = await startBehindNginx()
    const text = 'twenty bytes of text'.repeat((size * MB) / 20)
    const writer = stockClient(client(url, { connect: false }))
    textOf(writer).insert(0, text)
    writer.provider.connect()
    const reader = await syncedClient(client(url))
    await untilChanged([reader.doc], 'the reader has all', () => textOf(reader).length === text.length)
    expect(textOf(reader).toString()).toBe(text)

    const slow = await startProxy({ release: onTestFinished, target: url, bytesPerSecond: 40 * MB })
    const address = `https://${new URL(slow.url).host}${BASE_PATH}/`
    const follower = new Y.Doc()
    for await (const part of partsOf((await ask(address, 'api/documents/notes/events')).setEncoding('utf8'))) {
      if (part.kind === 'event') Y.applyUpdate(follower, Buffer.from(part.data, 'base64'))
      if (textOf({ doc: follower }).length === text.length) break
    }
    // What a slow reader has not read stays with the server: nginx would tell that it took to its disk.
    expect(nginx.output).not.toMatch(/\[(warn|error|crit)\]/)
    expect(textOf({ doc: follower }).toString()).toBe(text)
  },
)

test('a reload of nginx cuts connections some time later, and clients come back with what they wrote meanwhile', async () => {
  const { nginx, url } = await startBehindNginx()
  const [ann, ben] = [await syncedClient(client(url)), await syncedClient(client(url))]
  const lost = Promise.all([ann.lost(), ben.lost()])
  textOf(ann).insert(0, 'before ')
  await nginx.reload()
  textOf(ben).insert(0, 'after ')
  await lost
  textOf(ann).insert(0, 'offline ')
  // What Ben wrote may not have come to Ann before the connections were cut.
  const docs = [ann.doc, ben.doc]
  const all = 'before after offline '
  await untilChanged(docs, 'both have all', () => docs.every((doc) => textOf({ doc }).length === all.length))
  expect(textOf(ben).toString()).toBe(textOf(ann).toString())
  expect(textOf(ann).toString().split(' ').sort()).toEqual(all.split(' ').sort())
})

test('the server is told the path as it came, the host with its port, and who asks, whoever the client claims to be', async () => {
  const upstream = await startEcho(onTestFinished)
  const { nginx, url } = await startReadmeNginx(upstream)
  expect(await json(await ask(url, 'd/a%2Fb//%C3%A9?x=%20'))).toMatchObject({
    url: '/team/d/a%2Fb//%C3%A9?x=%20',
    headers: {
      host: `127.0.0.1:${nginx.ports.https}`,
      'x-forwarded-for': '203.0.113.9, 127.0.0.1',
    },
  })
})

/** What an upgrade is answered with that a page of this origin asks for. */
async function upgradeStatus(url: string, host: string, origin: string): Promise<number | undefined> {
  const handshake = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13' }
  const headers = { ...handshake, 'sec-websocket-key': randomBytes(16).toString('base64'), host, origin }
  const request = get(`${url}notes`, { ca: certificate.pem, servername: 'localhost', headers, agent: false })
  onTestFinished(async () => {
    request.destroy()
  })
  const [response]: IncomingMessage[] = await Promise.race([once(request, 'upgrade'), once(request, 'response')])
  return response.statusCode
}

test('pages of the host that the world sees may connect, those of others may not', async () => {
  const { url } = await startBehindNginx('--auth-secret', SECRET)
  const own = 'docs.example.com:8443'
  expect(await upgradeStatus(url, own, `https://${own}`)).toBe(101)
  expect(await upgradeStatus(url, own, 'https://docs.example.com')).toBe(403)
  expect(await upgradeStatus(url, own, 'https://evil.example.com:8443')).toBe(403)
})

test('R41 without authentication nobody is served until the host that the world sees is named', async () => {
  const [own, origin] = ['docs.example.com:8443', 'https://docs.example.com:8443']
  const { url } = await startBehindNginx()
  expect(await upgradeStatus(url, own, origin)).toBe(421)
  const named = await startBehindNginx('--allowed-origins', origin)
  expect(await upgradeStatus(named.url, own, origin)).toBe(101)
})

/** The code that a connection is closed with, or null for one that is served. */
function closeCode(url: string, protocols: readonly string[]): Promise<number | null> {
  const WebSocket = nodeWebSocket(trusting(certificate.pem))
  const socket = new WebSocket(`${url.replace('https:', 'wss:')}notes`, [...protocols])
  onTestFinished(async () => socket.close())
  return new Promise((resolve) => {
    socket.onmessage = () => resolve(null)
    socket.onclose = ({ code }) => resolve(code)
  })
}

test('a token passes as a subprotocol, and so does the code of who has none', async () => {
  const { url } = await startBehindNginx('--auth-secret', SECRET)
  expect(await closeCode(url, ['coedit', `bearer.${await token()}`])).toBe(null)
  expect(await closeCode(url, ['coedit'])).toBe(4401)
})

test('the server counts connections by who asks, and not by the proxy', async () => {
  const { url } = await startBehindNginx('--max-connections-per-address', '1')
  const stream = 'api/documents/notes/events'
  const statuses: (number | undefined)[] = []
  for (const address of ['203.0.113.9', '203.0.113.9', '203.0.113.10']) {
    statuses.push((await ask(url, stream, address)).statusCode)
  }
  expect(statuses).toEqual([200, 429, 200])
})

test('the HTTP API takes a body that is larger than what nginx takes by itself', async () => {
  const { url } = await startBehindNginx()
  const headers = { 'content-type': 'application/json' }
  const options = { method: 'PATCH', ca: certificate.pem, headers, agent: false }
  const request = httpsRequest(`${url}api/documents/notes/content`, options)
  request.end(JSON.stringify([{ index: 0, insert: 'x'.repeat(2 * MB) }]))
  const [response]: IncomingMessage[] = await once(request, 'response')
  expect([response.statusCode, await text(response)]).toEqual([204, ''])
})

test('the access log names what was asked for, without the query', async () => {
  const { nginx, url, accessLog } = await startBehindNginx()
  const response = await ask(url, 'health?token=s3cret')
  expect(await json(response)).toEqual({ status: 'ok' })
  // Its log is complete when it has ended.
  await nginx.stop()
  expect(await accessLog()).toMatch(/^127\.0\.0\.1 \[.*\] "GET \/team\/health" 200 /)
  expect(await accessLog()).not.toContain('s3cret')
})
