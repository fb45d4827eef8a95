import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { type Duplex, pipeline, Transform, type TransformCallback } from 'node:stream'
import type { Release } from './temporary.ts'

export interface ProxyOptions {
  /** Where the clean-up goes: the proxy stops listening and cuts what runs through it. */
  readonly release: Release
  /** The server behind it, as a URL. Without one the proxy refuses connections until `leadTo`. */
  readonly target?: string
  /** How fast bytes go from the server to each client. Default: as fast as they can. */
  readonly bytesPerSecond?: number
  /** How long each piece that comes is held back, both ways; what comes behind it waits as well. Default: not at all. */
  readonly delayMs?: () => number
}

/** Starts a proxy on a free port of 127.0.0.1. */
export async function startProxy({ release, target, ...line }: ProxyOptions): Promise<TcpProxy> {
  const server = createServer({ allowHalfOpen: false })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const proxy = new TcpProxy(server, line)
  if (target !== undefined) proxy.leadTo(target)
  release(async () => {
    const closed = once(server, 'close')
    server.close()
    proxy.refuse()
    await closed
  })
  return proxy
}

type Line = Pick<ProxyOptions, 'bytesPerSecond' | 'delayMs'>

/**
 * A TCP proxy: an address that stays while the server behind it comes and goes, or a line that is slow or breaks. A
 * server that is started anew could not be sure of its old port: those of other sockets are taken from the same range.
 */
export class TcpProxy {
  readonly #server: Server
  readonly #line: Line
  readonly #lines = new Set<Socket>()
  #target: URL | undefined

  constructor(server: Server, line: Line) {
    this.#server = server
    this.#line = line
    server.on('connection', (client) => this.#accept(client))
  }

  /** With a slash at the end, as the URL of a server. */
  get url(): string {
    const address = this.#server.address()
    if (address === null || typeof address === 'string') throw new Error('the proxy does not listen')
    return `http://127.0.0.1:${address.port}/`
  }

  /** Connections from now on lead to the server at this URL. Those there are stay with theirs. */
  leadTo(url: string): void {
    this.#target = new URL(url)
  }

  /** Cuts all connections, and each new one until `leadTo`. */
  refuse(): void {
    this.#target = undefined
    this.cut()
  }

  /** Cuts all connections without a goodbye; new ones are taken at once. */
  cut(): void {
    for (const socket of this.#lines) socket.destroy()
  }

  #accept(client: Socket): void {
    if (!this.#target) {
      client.destroy()
      return
    }
    const upstream = connect(Number(this.#target.port), this.#target.hostname)
    this.#lines.add(client)
    // A broken end is what this proxy is for: `pipeline` takes the other end down with it.
    const ended = () => {
      this.#lines.delete(client)
      client.destroy()
      upstream.destroy()
    }
    pipeline([client, ...this.#delay(), upstream], ended)
    pipeline([upstream, ...this.#delay(), ...this.#throttle(), client], ended)
  }

  #throttle(): Duplex[] {
    const { bytesPerSecond } = this.#line
    return bytesPerSecond === undefined ? [] : [new Throttle(bytesPerSecond)]
  }

  #delay(): Duplex[] {
    const { delayMs } = this.#line
    return delayMs === undefined ? [] : [new Delay(delayMs)]
  }
}

/** Holds each piece back for a time of its own, and so the next ones too: the order stays. */
class Delay extends Transform {
  readonly #delayMs: () => number

  constructor(delayMs: () => number) {
    super()
    this.#delayMs = delayMs
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    setTimeout(() => done(null, chunk), this.#delayMs())
  }
}

/** Lets bytes through at a steady pace, and holds back who writes faster. */
class Throttle extends Transform {
  readonly #msPerByte: number
  #freeAt = 0

  constructor(bytesPerSecond: number) {
    super({ highWaterMark: 16 * 1024 })
    this.#msPerByte = 1000 / bytesPerSecond
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    const now = performance.now()
    this.#freeAt = Math.max(now, this.#freeAt) + chunk.length * this.#msPerByte
    setTimeout(() => done(null, chunk), this.#freeAt - now)
  }
}
