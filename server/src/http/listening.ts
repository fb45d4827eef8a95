import { createServer, type RequestListener, type Server } from 'node:http'
import { CoeditError } from '../common/errors.ts'
import type { Log } from '../common/log.ts'
import type { Config } from '../config/config.ts'

/** How often requests are looked at that take too long: Node's 30 s would add to every deadline. */
const REQUEST_CHECK_MS = 1_000

export function httpServer({ requestTimeoutMs }: Config, log: Log, onRequest: RequestListener): Server {
  const deadlines = {
    headersTimeout: requestTimeoutMs,
    requestTimeout: requestTimeoutMs,
    connectionsCheckingInterval: REQUEST_CHECK_MS,
  }
  const http = createServer(deadlines, onRequest)
  http.on('connection', (socket) => {
    const { remoteAddress: address } = socket
    // Node answers what is no request by itself. The error would bring all that came into the log, tokens included.
    socket.on('error', ({ code, message: reason }: NodeJS.ErrnoException) => {
      log.debug({ code, reason, address }, 'a connection broke')
    })
  })
  return http
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
