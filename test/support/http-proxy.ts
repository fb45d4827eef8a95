import { EventEmitter, once } from 'node:events'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import type { Release } from './temporary.ts'

const HEAD_END = '\r\n\r\n'

/** What a proxy does, from now on. */
export interface ProxyManners {
  /** What becomes of WebSockets. Unanswered ones wait for ever, and of swallowed ones nothing gets through once they are open. */
  upgrades: 'passed' | 'refused' | 'unanswered' | 'swallowed'
  /** Whether an answer is passed on when it has ended, and not before. */
  keepsAnswers: boolean
  /** Whether requests of these methods are done, and their answers lost. */
  loses: string | undefined
}

export interface HttpProxy {
  /** With a slash at the end. */
  readonly url: string
  readonly manners: ProxyManners
  /** What was asked for, as `GET /path`. */
  readonly requests: readonly string[]
  /** Resolves when something like this is asked for, now or later. */
  asked(pattern: RegExp): Promise<void>
  /** The servers that requests are led to, in turn. */
  leadTo(...targets: readonly string[]): void
}

/** An HTTP proxy of the kind that people sit behind who cannot choose it. */
export async function startHttpProxy(
  release: Release,
  targets: readonly string[],
  manners: Partial<ProxyManners> = {},
): Promise<HttpProxy> {
  const present: ProxyManners = { upgrades: 'refused', keepsAnswers: false, loses: undefined, ...manners }
  const requests: string[] = []
  const said = new EventEmitter()
  const note = (request: string) => {
    requests.push(request)
    said.emit('request')
  }
  let upstreams = targets
  let turn = 0
  const next = () => new URL(upstreams[turn++ % upstreams.length] ?? '')
  const server = createServer((incoming, outgoing) => {
    note(`${incoming.method} ${incoming.url}`)
    void passOn(incoming, outgoing, next(), present)
  })
  const sockets = new Set<Duplex>()
  server.on('upgrade', (incoming, socket, head) => {
    note(`UPGRADE ${incoming.url}`)
    sockets.add(socket)
    socket.on('error', () => socket.destroy())
    if (present.upgrades === 'refused') socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n')
    if (present.upgrades === 'passed') sockets.add(tunnel(incoming, socket, head, next(), pipeBoth))
    if (present.upgrades === 'swallowed') sockets.add(tunnel(incoming, socket, head, next(), passHead))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  release(async () => {
    server.close()
    server.closeAllConnections()
    for (const socket of sockets) socket.destroy()
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the proxy does not listen')
  return {
    url: `http://127.0.0.1:${address.port}/`,
    manners: present,
    requests,
    asked: async (pattern) => {
      while (!requests.some((request) => pattern.test(request))) await once(said, 'request')
    },
    leadTo: (...others) => {
      upstreams = others
    },
  }
}

async function passOn(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  target: URL,
  manners: ProxyManners,
): Promise<void> {
  const { method, url = '/', headers } = incoming
  const onward = request(new URL(url, target), { method, headers, agent: false })
  onward.on('error', () => outgoing.writeHead(502).end())
  outgoing.on('close', () => onward.destroy())
  incoming.pipe(onward)
  const [answer]: IncomingMessage[] = await once(onward, 'response').catch(() => [])
  if (!answer) return
  answer.on('error', () => outgoing.destroy())
  if (method === manners.loses) {
    await buffer(answer).catch(() => undefined)
    outgoing.destroy()
    return
  }
  const body = manners.keepsAnswers ? await buffer(answer).catch(() => undefined) : undefined
  outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
  if (body) outgoing.end(body)
  else answer.pipe(outgoing)
}

type Join = (socket: Duplex, upstream: Duplex) => void

function tunnel(
  { method, url, rawHeaders }: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  target: URL,
  join: Join,
): Duplex {
  const upstream = connect(Number(target.port), target.hostname)
  const headers = rawHeaders.map((text, index) => (index % 2 === 0 ? `${text}: ` : `${text}\r\n`)).join('')
  upstream.write(`${method} ${url} HTTP/1.1\r\n${headers}\r\n`)
  upstream.write(head)
  upstream.on('error', () => socket.destroy())
  socket.on('close', () => upstream.destroy())
  upstream.on('close', () => socket.destroy())
  join(socket, upstream)
  return upstream
}

const pipeBoth: Join = (socket, upstream) => upstream.pipe(socket).pipe(upstream)

/** Passes on the answer to the upgrade, which may come with the first frames behind it, and nothing else. */
const passHead: Join = (socket, upstream) => {
  let received = ''
  upstream.on('data', (bytes: Buffer) => {
    const before = received
    if (before.includes(HEAD_END)) return
    received += bytes.toString('latin1')
    const end = received.indexOf(HEAD_END)
    const known = end < 0 ? received.length : end + HEAD_END.length
    socket.write(received.slice(before.length, known), 'latin1')
  })
  socket.resume()
}
