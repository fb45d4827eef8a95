import { createServer, type RequestListener, type Server, STATUS_CODES } from 'node:http'
import { CoeditError } from '../common/errors.ts'
import type { Config } from '../config/config.ts'
import type { Connections } from './connections.ts'
import { failureBody } from './failure.ts'

/** How often requests are looked at that take too long: Node's 30 s would add to every deadline. */
const REQUEST_CHECK_MS = 1_000

export function httpServer({ requestTimeoutMs }: Config, connections: Connections, onRequest: RequestListener): Server {
  const deadlines = {
    headersTimeout: requestTimeoutMs,
    requestTimeout: requestTimeoutMs,
    connectionsCheckingInterval: REQUEST_CHECK_MS,
  }
  const http = createServer(deadlines, (request, response) => {
    connections.began(response)
    onRequest(request, response)
  })
  http.on('clientError', (error, socket) => {
    if (socket.writable && !connections.isAnswering(socket)) socket.write(refusalOf(error))
    socket.destroy(error)
  })
  http.on('connection', (socket) => connections.opened(socket))
  return http
}

/** Statuses for what HTTP itself has something against; all else is a bad request. */
const STATUSES: Readonly<Record<string, number>> = {
  HPE_HEADER_OVERFLOW: 431,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
  ERR_HTTP_REQUEST_TIMEOUT: 408,
}

/** The answer to what is no request, or comes too slowly to become one. */
function refusalOf({ code = '' }: NodeJS.ErrnoException): string {
  const status = STATUSES[code] ?? 400
  const reason = STATUS_CODES[status] ?? ''
  const body = JSON.stringify(failureBody('REQUEST_INVALID', `this is no request as HTTP has it: ${reason}`))
  const headers = [
    `HTTP/1.1 ${status} ${reason}`,
    'Connection: close',
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
  ]
  return `${headers.join('\r\n')}\r\n\r\n${body}`
}

/** Resolves when it listens. Rejects with PORT_IN_USE or CANNOT_LISTEN. */
export function listening(http: Server, { port, host }: Config): Promise<void> {
  return new Promise((resolve, reject) => {
    http.once('error', (cause: NodeJS.ErrnoException) => reject(cannotListen(cause, host, port)))
    http.listen(port, host, resolve)
  })
}

function cannotListen(cause: NodeJS.ErrnoException, host: string, port: number): CoeditError {
  if (cause.code === 'EADDRINUSE') {
    const message = `port ${port} on ${host} is in use: stop the other process or choose another with --port`
    return new CoeditError('PORT_IN_USE', message, { cause })
  }
  return new CoeditError('CANNOT_LISTEN', `cannot listen on ${host} port ${port}: ${cause.message}`, { cause })
}

/** Takes no more connections; resolves when the last one is closed. */
export function closed(http: Server): Promise<void> {
  return new Promise((resolve) => http.close(() => resolve()))
}
