import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import type { Cancel } from '../clock.ts'
import { CoeditError } from '../errors.ts'
import { checkName, nameFromPath } from '../protocol/names.ts'
import { badName, CLOSE, type Close } from '../sync/close-codes.ts'
import { Connection, type ConnectionContext, type ConnectionTerms } from '../sync/connection.ts'
import { RejectionDelay } from './rejection-delay.ts'

/** The subprotocol of clients that want their edits acknowledged. */
const ACKNOWLEDGING = 'coedit.v1'
/** A neutral subprotocol, for clients that offer a token as another one: Chromium fails when none is selected. */
const NEUTRAL = 'coedit'
const SUBPROTOCOLS = [ACKNOWLEDGING, NEUTRAL]

/** How often connections are looked at for silence and for peers that are gone. */
const TICK_MS = 1_000
/** At shutdown: how long peers may take to answer the close frame. */
const CLOSE_GRACE_MS = 2_000
/** At shutdown: connections are closed at this pace, up to the option `shutdownSpreadMs`. */
const CLOSE_MS_PER_CONNECTION = 2

/** What is left of an upgrade request. */
interface Opened {
  readonly socket: Duplex
  readonly name: string
  readonly query: string
  readonly address: string
}

/** Turns upgrade requests into connections and keeps them. */
export class Upgrades {
  readonly #context: ConnectionContext
  readonly #server: WebSocketServer
  readonly #rejections: RejectionDelay
  readonly #connections = new Map<WebSocket, Connection | undefined>()
  #tick: Cancel | undefined
  #whenEmpty: (() => void) | undefined

  constructor(context: ConnectionContext) {
    const { maxMessageBytes, maxFragments } = context.config
    this.#context = context
    this.#rejections = new RejectionDelay(context.clock)
    this.#server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: maxMessageBytes,
      maxFragments,
      handleProtocols: (offered) => SUBPROTOCOLS.find((protocol) => offered.has(protocol)) ?? false,
    })
  }

  start(): void {
    this.#tick = this.#context.clock.after(TICK_MS, () => {
      const now = this.#context.clock.now()
      for (const connection of this.#connections.values()) connection?.tick(now)
      this.start()
    })
  }

  /** Takes over the socket of an `upgrade` event. A request outside of the base path is answered with 404. */
  handle(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { basePath } = this.#context.config
    // Taken apart by hand: `URL` resolves dot segments and throws on some targets.
    const [path = '', query = ''] = (request.url ?? '/').split(/\?(.*)/s, 2)
    if (!path.startsWith(`${basePath}/`)) {
      socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
      return
    }
    const opened: Opened = {
      socket,
      name: nameFromPath(path.slice(basePath.length)),
      query,
      address: addressOf(request),
    }
    this.#server.handleUpgrade(request, socket, head, (webSocket) => this.#accept(webSocket, opened))
  }

  /** Closes all connections, spread over a while, so that the clients do not come back all at once. */
  async close(): Promise<void> {
    this.#tick?.()
    const { shutdownSpreadMs } = this.#context.config
    const spread = Math.min(shutdownSpreadMs, this.#connections.size * CLOSE_MS_PER_CONNECTION)
    const pause = spread / this.#connections.size
    for (const [webSocket, connection] of this.#connections) {
      if (connection) connection.close(CLOSE.restart)
      else webSocket.close(CLOSE.restart.code, CLOSE.restart.reason)
      if (pause >= 1) await new Promise<void>((resolve) => this.#context.clock.after(pause, resolve))
    }
    await this.#emptied()
  }

  /** Of the request only `opened` is kept: a listener made where the request is in scope would keep all of it. */
  #accept(webSocket: WebSocket, { socket, name, query, address }: Opened): void {
    this.#connections.set(webSocket, undefined)
    webSocket.on('close', () => this.#forget(webSocket))
    try {
      checkName(name, this.#context.config.maxNameBytes)
    } catch (error) {
      if (!(error instanceof CoeditError)) throw error
      this.#reject(webSocket, badName(error.message), address)
      return
    }
    const parameters = new URLSearchParams(query)
    const terms: ConnectionTerms = {
      document: name,
      access: parameters.get('access') === 'read' ? 'read' : 'write',
      acknowledges: webSocket.protocol === ACKNOWLEDGING,
      echo: parameters.get('echo') === '1',
      user: undefined,
    }
    const connection = new Connection(webSocket, socket, terms, this.#context)
    this.#connections.set(webSocket, connection)
    connection.start()
  }

  /**
   * Refuses a connection after it was accepted: a refused upgrade reaches clients as 1006, after which they try for
   * ever. Later than at once, for older clients try again whatever the code.
   */
  #reject(webSocket: WebSocket, { code, reason }: Close, address: string): void {
    webSocket.on('error', (error) => this.#context.log.debug({ err: error }, 'a refused WebSocket broke'))
    webSocket.pause()
    const cancel = this.#context.clock.after(this.#rejections.next(address), () => {
      webSocket.close(code, reason)
      webSocket.resume()
    })
    webSocket.on('close', cancel)
  }

  #forget(webSocket: WebSocket): void {
    this.#connections.delete(webSocket)
    if (this.#connections.size === 0) this.#whenEmpty?.()
  }

  #emptied(): Promise<void> {
    if (this.#connections.size === 0) return Promise.resolve()
    return new Promise((resolve) => {
      const cancel = this.#context.clock.after(CLOSE_GRACE_MS, () => {
        for (const webSocket of this.#connections.keys()) webSocket.terminate()
      })
      this.#whenEmpty = () => {
        cancel()
        resolve()
      }
    })
  }
}

function addressOf(request: IncomingMessage): string {
  return request.socket.remoteAddress ?? ''
}
