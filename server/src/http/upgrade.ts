import { type IncomingMessage, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import { CoeditError, ERRORS } from '../common/errors.ts'
import type { Meters } from '../common/meters.ts'
import { RejectionDelay } from '../common/rejection-delay.ts'
import { type Cancel, Condition } from '../common/timing.ts'
import { Acknowledgements } from '../peers/acknowledgements.ts'
import { CLOSE, type Close, closeFor } from '../peers/close-codes.ts'
import { yWebsocket } from '../peers/dialects/y-websocket.ts'
import { Multiplexer } from '../peers/hocuspocus/multiplexer.ts'
import { StatelessRelay } from '../peers/hocuspocus/stateless-relay.ts'
import { Session, type SessionContext, type SessionTerms } from '../peers/session.ts'
import { Socket } from '../peers/socket.ts'
import { nameFromPath } from '../protocol/wire/document-name.ts'
import { SUBPROTOCOL } from '../protocol/wire/messages.ts'
import type { Admission, Visitor } from './admission.ts'
import { cutLater, hangUp } from './cut.ts'
import { failureBody } from './failure.ts'
import type { Refusals } from './refusals.ts'
import { requestId } from './request-id.ts'

/** A neutral subprotocol, for clients that offer a token as another one: Chromium fails when none is selected. */
const NEUTRAL = 'coedit'
const SUBPROTOCOLS = [SUBPROTOCOL, NEUTRAL]

/** How often connections are looked at for silence and for peers that are gone. */
const TICK_MS = 1_000
/** At shutdown: how long peers may take to answer the close frame. */
const CLOSE_GRACE_MS = 2_000
/** At shutdown: connections are closed at this pace, up to the option `shutdownSpreadMs`. */
const CLOSE_MS_PER_CONNECTION = 2

export interface UpgradesContext extends Omit<SessionContext, 'mistaken'> {
  readonly admission: Admission
  readonly refusals: Refusals
  readonly meters: Meters
}

/** What a WebSocket has become: one session, or those of many documents. */
interface Connection {
  tick(now: number): void
  end(reason: 'restart'): void
}

/** Turns upgrade requests into connections and keeps them. */
export class Upgrades {
  readonly #context: UpgradesContext
  readonly #sessions: SessionContext
  readonly #relay: StatelessRelay
  /** Without slashes at their ends. */
  readonly #hocuspocusPaths: ReadonlySet<string>
  readonly #server: WebSocketServer
  readonly #rejections: RejectionDelay
  readonly #connections = new Map<WebSocket, Connection | undefined>()
  readonly #emptied = new Condition()
  /** Of any of them: ws answers breaches of RFC 6455 with the right code itself; what is left to do is to say so. */
  readonly #broke = (err: Error) => this.#context.log.debug({ err }, 'a WebSocket broke')
  #tick: Cancel | undefined

  constructor(context: UpgradesContext) {
    const { maxMessageBytes, maxFragments, basePath, hocuspocusPaths } = context.config
    this.#context = context
    this.#sessions = { ...context, mistaken: (error) => context.refusals.tellMistaken(error) }
    this.#relay = new StatelessRelay(context.config)
    const paths = hocuspocusPaths === '' ? [] : hocuspocusPaths.split(',').map((path) => bare(path.trim()))
    this.#hocuspocusPaths = new Set([basePath, ...paths])
    this.#rejections = new RejectionDelay(context.clock)
    this.#server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: maxMessageBytes,
      maxFragments,
      // A piece of 64 KiB, which is what is read at once, may hold 10,000 messages or pings: one of them in a turn.
      allowSynchronousEvents: false,
      handleProtocols: (offered) => SUBPROTOCOLS.find((protocol) => offered.has(protocol)) ?? false,
    })
    this.#server.on('wsClientError', ({ message }, socket, request) => {
      this.refuse(request, socket, new CoeditError('UPGRADE_INVALID', message))
    })
  }

  /** How many WebSockets are open. */
  get size(): number {
    return this.#connections.size
  }

  start(): void {
    this.#tick = this.#context.clock.after(TICK_MS, () => {
      const now = this.#context.clock.now()
      for (const connection of this.#connections.values()) connection?.tick(now)
      this.start()
    })
  }

  /** Whether the path of a request is the option `basePath`, below it, or one of `hocuspocusPaths`. */
  isServed(request: IncomingMessage): boolean {
    const path = pathOf(request)
    return path.startsWith(`${this.#context.config.basePath}/`) || this.#isForMany(path)
  }

  /** Whether documents are not named by the path, but message by message. */
  #isForMany(path: string): boolean {
    return this.#hocuspocusPaths.has(bare(path))
  }

  /**
   * Takes over the socket of an `upgrade` event whose path is served. One that is refused here is answered as an HTTP
   * request is: nothing is opened for it.
   */
  handle(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { config, admission } = this.#context
    try {
      const path = pathOf(request)
      const isForMany = this.#isForMany(path)
      const name = isForMany ? '' : nameFromPath(path.slice(config.basePath.length))
      const visitor = admission.knock(request, socket, name)
      this.#server.handleUpgrade(request, socket, head, (webSocket) => {
        this.#keep(webSocket)
        if (isForMany) this.#share(webSocket, socket, visitor)
        else void this.#accept(webSocket, socket, visitor)
      })
    } catch (error) {
      if (!(error instanceof CoeditError)) throw error
      this.refuse(request, socket, error)
    }
  }

  /** Answers as `failure` does, without a response of node:http, of which an upgrade has none. */
  refuse(request: IncomingMessage, socket: Duplex, error: CoeditError): void {
    const { code, message } = error
    const { status = 500 } = ERRORS[code]
    this.#context.refusals.tell(error, request)
    const body = JSON.stringify(failureBody(code, message))
    const headers = [
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
      'Connection: close',
      'Content-Type: application/json',
      // RFC 6455 §4.4: who does not speak this version is told so.
      'Sec-WebSocket-Version: 13',
      `Content-Length: ${Buffer.byteLength(body)}`,
      `X-Request-Id: ${requestId(request)}`,
    ]
    hangUp(socket, `${headers.join('\r\n')}\r\n\r\n${body}`, this.#context.clock)
  }

  /** Closes all connections, spread over a while, so that the clients do not come back all at once. */
  async close(): Promise<void> {
    this.#tick?.()
    const { shutdownSpreadMs } = this.#context.config
    const spread = Math.min(shutdownSpreadMs, this.#connections.size * CLOSE_MS_PER_CONNECTION)
    const pause = spread / this.#connections.size
    for (const [webSocket, connection] of this.#connections) {
      if (connection) connection.end('restart')
      else this.#closeLater(webSocket, CLOSE.restart, 0)
      if (pause >= 1) await this.#emptied.waitFor(this.#context.clock, pause)
    }
    while (this.#connections.size > 0) {
      const isInTime = await this.#emptied.waitFor(this.#context.clock, CLOSE_GRACE_MS)
      if (!isInTime) for (const webSocket of this.#connections.keys()) webSocket.terminate()
    }
  }

  #keep(webSocket: WebSocket): void {
    this.#connections.set(webSocket, undefined)
    webSocket.on('close', (code) => {
      this.#forget(webSocket)
      this.#context.meters.closed(code)
    })
    webSocket.on('error', this.#broke)
  }

  /** No listener may use the visitor: it would keep the headers of the request for as long as the connection lives. */
  async #accept(webSocket: WebSocket, socket: Duplex, visitor: Visitor): Promise<void> {
    // Nothing is read before it is known who sends it.
    webSocket.pause()
    try {
      await this.#connect(webSocket, socket, visitor)
    } catch (err) {
      const { document, address } = visitor.request
      const close = closeFor(err)
      this.#context.log[close === CLOSE.failed ? 'error' : 'debug']({ err, document }, 'refused a connection')
      this.#closeLater(webSocket, close, this.#rejections.next(address ?? ''))
    }
  }

  async #connect(webSocket: WebSocket, below: Duplex, visitor: Visitor): Promise<void> {
    let socket: Socket | undefined
    const lease = await this.#context.admission.admit(visitor, (reason, delayMs) => {
      socket?.leave()
      this.#closeLater(webSocket, closeFor(reason), delayMs)
      cutLater(webSocket, below, this.#context.clock, delayMs)
    })
    if (!lease || lease.isOver || webSocket.readyState !== webSocket.OPEN) return
    const { config, clock, meters } = this.#context
    const isOwn = webSocket.protocol === SUBPROTOCOL
    const terms: SessionTerms = {
      lease,
      dialect: yWebsocket,
      access: visitor.query.get('access') === 'read' ? 'read' : lease.permit.access,
      isOwn,
      acknowledgements: isOwn ? new Acknowledgements() : undefined,
      // What is not acknowledged is known to be stored when it comes back: y-websocket 4 counts on that.
      echo: (visitor.query.get('echo') ?? (isOwn ? '0' : '1')) === '1',
    }
    socket = new Socket(webSocket, below, config, clock, meters)
    const session = new Session(socket, terms, this.#sessions)
    this.#connections.set(webSocket, session)
    session.start()
  }

  /** Who it is says each message for a document that is not open yet, so all of them are read. */
  #share(webSocket: WebSocket, below: Duplex, { query, request }: Visitor): void {
    const { admission, config, clock, meters } = this.#context
    const rejectionMs = () => this.#rejections.next(request.address ?? '')
    const socket = new Socket(webSocket, below, config, clock, meters)
    const multiplexer = new Multiplexer({
      ...this.#sessions,
      socket,
      relay: this.#relay,
      asksForTokens: admission.asksForTokens && request.token === undefined,
      isReadOnly: query.get('access') === 'read',
      admit: ({ document, token, channel }, onEnd, onAccess) => {
        const asked = { ...request, document, token: token === '' ? request.token : token }
        return admission.admit({ line: channel, query, request: asked }, onEnd, onAccess)
      },
      retryDelayMs: rejectionMs,
      closeLater: (close) => {
        socket.leave()
        this.#closeLater(webSocket, close, rejectionMs())
      },
    })
    this.#connections.set(webSocket, multiplexer)
    multiplexer.start()
  }

  /**
   * Refuses a connection after it was accepted: a refused upgrade reaches clients as 1006, after which they try for
   * ever. It does so after a delay, for older clients try again whatever the code.
   */
  #closeLater(webSocket: WebSocket, { code, reason }: Close, delayMs: number): void {
    webSocket.pause()
    const close = () => {
      webSocket.close(code, reason)
      // The peer's own close frame is still to be read.
      webSocket.resume()
    }
    if (delayMs === 0) close()
    else webSocket.on('close', this.#context.clock.after(delayMs, close))
  }

  #forget(webSocket: WebSocket): void {
    this.#connections.delete(webSocket)
    if (this.#connections.size === 0) this.#emptied.notify()
  }
}

/** Without the slash at its end. */
function bare(path: string): string {
  return path.replace(/\/$/, '')
}

/** The path is taken apart by hand, since `URL` resolves dot segments and throws on some targets. */
function pathOf({ url = '/' }: IncomingMessage): string {
  return url.replace(/\?.*$/s, '')
}
