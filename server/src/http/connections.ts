import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Log } from '../common/log.ts'
import { ChunkedBody } from './chunked-body.ts'

/** What Node reads the requests of a connection with, as far as it is freed here; its types do not have it. */
interface RequestParser {
  unconsume(): void
  remove(): void
  close(): void
}

/** The listeners by which Node answers on a connection. */
const NODES_EVENTS = ['data', 'end', 'close', 'drain', 'error', 'timeout']

/** The connections of an HTTP server that nobody else listens to. */
export class Connections {
  readonly #stallTimeoutMs: number
  readonly #log: Log
  /** The last answer that was begun on each connection. */
  readonly #answers = new WeakMap<Duplex, ServerResponse>()
  readonly #taken = new Set<Socket>()

  /** @param stallTimeoutMs how long a client may take nothing of what it is written; then it is cut */
  constructor(stallTimeoutMs: number, log: Log) {
    this.#stallTimeoutMs = stallTimeoutMs
    this.#log = log
  }

  opened(socket: Socket): void {
    const { remoteAddress: address } = socket
    // The error would bring all that came into the log, tokens included.
    socket.on('error', ({ code, message: reason }: NodeJS.ErrnoException) => {
      this.#log.debug({ code, reason, address }, 'a connection broke')
    })
  }

  began(answer: ServerResponse): void {
    this.#answers.set(answer.req.socket, answer)
  }

  /** Whether what is written would be taken for a part of an answer. */
  isAnswering(socket: Duplex): boolean {
    const answer = this.#answers.get(socket)
    return answer?.headersSent === true && !answer.writableFinished
  }

  /**
   * Writes the head of an answer, and takes the socket for the body, as Node does for upgrades: no other request is read
   * from it. All that Node keeps to read requests, and to write answers, is 6 KiB for each connection (measured with Node
   * 20). For Node the answer has closed with that. Undefined, with nothing written, where the body is not in chunks,
   * another request came behind this one, the connection is of another server, or Node has none of what is freed here any
   * more.
   */
  take(answer: ServerResponse, headers: OutgoingHttpHeaders): ChunkedBody | undefined {
    const { socket } = answer
    const parser: RequestParser | undefined = socket && Reflect.get(socket, 'parser')
    const isLast = socket !== null && this.#answers.get(socket) === answer
    if (!isLast || answer.req.httpVersion !== '1.1' || typeof parser?.close !== 'function') return undefined
    answer.writeHead(200, { ...headers, connection: 'close' })
    answer.flushHeaders()
    this.#answers.delete(socket)
    for (const event of NODES_EVENTS) socket.removeAllListeners(event)
    answer.detachSocket(socket)
    free(parser, socket)
    answer.emit('close')

    this.#taken.add(socket)
    this.opened(socket)
    socket.once('close', () => this.#taken.delete(socket))
    socket.once('end', hangUp)
    socket.setTimeout(this.#stallTimeoutMs)
    socket.on('timeout', cutWhereStalled)
    // What else comes is no request any more; unread, it would hide that the client has gone.
    socket.resume()
    return new ChunkedBody(socket)
  }

  /** Ends those that were taken, which the server that they came to does not know any more. */
  destroyTaken(): void {
    for (const socket of this.#taken) socket.destroy()
  }
}

function free(parser: RequestParser, socket: Socket): void {
  parser.unconsume()
  parser.remove()
  Reflect.set(socket, 'parser', null)
  // What has called us may be the parser.
  setImmediate(() => parser.close())
}

function hangUp(this: Socket): void {
  this.destroy()
}

function cutWhereStalled(this: Socket): void {
  if (this.writableLength > 0) this.destroy()
}
