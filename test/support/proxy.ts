import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { type Duplex, pipeline, Transform, type TransformCallback } from 'node:stream'
import { Gate } from './gate.ts'
import type { Release } from './temporary.ts'

export interface ProxyOptions {
  /** Where the clean-up goes: the proxy stops listening and cuts what runs through it. */
  readonly release: Release
  /** The server behind it, as a URL. Without one the proxy refuses connections until `leadTo`. */
  readonly target?: string
  /** Default: 127.0.0.1. */
  readonly host?: string
  /** How fast bytes go from the server to each client. Default: as fast as they can. */
  readonly bytesPerSecond?: number
  /** How long each piece that comes is held back, both ways; what comes behind it waits as well. Default: not at all. */
  readonly delayMs?: () => number
}

/** Starts a proxy on a free port. */
export async function startProxy(options: ProxyOptions): Promise<TcpProxy> {
  const { release, target, host = '127.0.0.1', ...pace } = options
  const server = createServer({ allowHalfOpen: false })
  server.listen(0, host)
  await once(server, 'listening')
  const proxy = new TcpProxy(server, pace)
  if (target !== undefined) proxy.leadTo(target)
  release(async () => {
    const closed = once(server, 'close')
    server.close()
    proxy.end()
    await closed
  })
  return proxy
}

type Pace = Pick<ProxyOptions, 'bytesPerSecond' | 'delayMs'>

/** A connection through the proxy. */
interface Line {
  readonly client: Socket
  readonly upstream: Socket
  readonly valve: Valve
}

/**
 * A TCP proxy: an address that stays while the server behind it comes and goes, or a line that is slow or breaks. A
 * server that is started anew could not be sure of its old port: those of other sockets are taken from the same range.
 */
export class TcpProxy {
  readonly #server: Server
  readonly #pace: Pace
  readonly #lines = new Set<Line>()
  readonly #stranded = new Set<Line>()
  #target: URL | undefined
  #isHeld = false

  constructor(server: Server, pace: Pace) {
    this.#server = server
    this.#pace = pace
    server.on('connection', (client) => this.#accept(client))
  }

  /** With a slash at the end, as the URL of a server. */
  get url(): string {
    const address = this.#server.address()
    if (address === null || typeof address === 'string') throw new Error('the proxy does not listen')
    return `http://${address.address}:${address.port}/`
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

  /** Cuts all connections, those that are half-open too, and takes no more. */
  end(): void {
    this.refuse()
    for (const { client, upstream } of this.#stranded) {
      client.destroy()
      upstream.destroy()
    }
  }

  /** Cuts all connections without a goodbye; new ones are taken at once. */
  cut(): void {
    for (const { client } of this.#lines) client.destroy()
  }

  /** Resets all connections (RST) towards both ends. */
  reset(): void {
    for (const { client, upstream } of this.#lines) {
      client.resetAndDestroy()
      upstream.resetAndDestroy()
    }
  }

  /** A partition: nothing gets through, and nobody is told, until `letThrough`. Then all of it arrives. */
  hold(): void {
    this.#isHeld = true
    for (const { valve } of this.#lines) valve.close()
  }

  letThrough(): void {
    this.#isHeld = false
    for (const { valve } of this.#lines) valve.open()
  }

  /**
   * Leaves the connections there are half-open for good: nothing gets through, and nobody is told. New ones work.
   * Resolves when the server has given up all of them, or has lost those that their clients gave up.
   */
  async strand(): Promise<void> {
    const stranded = [...this.#lines]
    this.#lines.clear()
    const givenUp = stranded.map(({ upstream }) => new Promise((resolve) => upstream.once('close', resolve)))
    for (const line of stranded) {
      const { valve, upstream } = line
      this.#stranded.add(line)
      valve.close()
      // Unread bytes would hide that the server has closed.
      upstream.unpipe().resume()
    }
    await Promise.all(givenUp)
  }

  #accept(client: Socket): void {
    if (!this.#target) {
      client.destroy()
      return
    }
    const upstream = connect(Number(this.#target.port), this.#target.hostname)
    const valve = new Valve()
    if (this.#isHeld) valve.close()
    const line = { client, upstream, valve }
    this.#lines.add(line)
    // A broken end is what this proxy is for: `pipeline` takes the other end down with it.
    const ended = () => {
      this.#lines.delete(line)
      this.#stranded.delete(line)
      client.destroy()
      upstream.destroy()
    }
    pipeline([client, new Held(valve), ...this.#delay(), upstream], ended)
    pipeline([upstream, new Held(valve), ...this.#delay(), ...this.#throttle(), client], ended)
  }

  #throttle(): Duplex[] {
    const { bytesPerSecond } = this.#pace
    return bytesPerSecond === undefined ? [] : [new Throttle(bytesPerSecond)]
  }

  #delay(): Duplex[] {
    const { delayMs } = this.#pace
    return delayMs === undefined ? [] : [new Delay(delayMs)]
  }
}

/** Open at first. */
class Valve {
  #closed: Gate | undefined

  close(): void {
    this.#closed ??= new Gate()
  }

  open(): void {
    this.#closed?.open()
    this.#closed = undefined
  }

  /** Calls back when it is open: at once, where it is. */
  pass(go: () => void): void {
    if (this.#closed) void this.#closed.opened.then(() => this.pass(go))
    else go()
  }
}

/** Lets bytes through while the valve is open. */
class Held extends Transform {
  readonly #valve: Valve

  constructor(valve: Valve) {
    super()
    this.#valve = valve
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#valve.pass(() => done(null, chunk))
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
