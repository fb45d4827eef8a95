import { once } from 'node:events'
import { createServer as createHttpServer, type IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'
import { createServer } from '../../server/src/index.ts'
import { recordingLog } from './log.ts'
import { type Release, temporaryDirectory } from './temporary.ts'

export interface GuardedServer {
  readonly url: string
  /** The tokens of all attempts so far, in order; undefined for one without. */
  readonly tokens: readonly (string | undefined)[]
  /** Takes this token and no other from now on. */
  accept(token: string): void
  /** Cuts all connections. */
  cut(): void
}

export interface GuardedOptions {
  readonly release: Release
  /** The WebSocket close code for those without the token. */
  readonly code: number
}

/**
 * A coedit server inside of an application that lets in who brings the right bearer token as a subprotocol, and closes
 * the sockets of all others.
 */
export async function startGuarded({ release, code }: GuardedOptions): Promise<GuardedServer> {
  const coedit = createServer(
    { data: await temporaryDirectory(release), shutdownSpreadMs: 0 },
    { log: recordingLog().log },
  )
  release(() => coedit.close())
  const refusing = new WebSocketServer({ noServer: true, handleProtocols: () => 'coedit.v1' })
  const http = createHttpServer()
  const tokens: (string | undefined)[] = []
  const sockets = new Set<Duplex>()
  let accepted: string | undefined
  http.on('upgrade', (request, socket, head) => {
    const token = bearer(request)
    tokens.push(token)
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    if (token !== undefined && token === accepted) coedit.handleUpgrade(request, socket, head)
    else refusing.handleUpgrade(request, socket, head, (webSocket) => webSocket.close(code, 'no valid token'))
  })
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  release(async () => {
    http.closeAllConnections()
    http.close()
  })
  const address = http.address()
  if (address === null || typeof address === 'string') throw new Error('the server does not listen on a port')
  return {
    url: `http://127.0.0.1:${address.port}`,
    tokens,
    accept: (token) => {
      accepted = token
    },
    cut: () => {
      for (const socket of sockets) socket.destroy()
    },
  }
}

function bearer(request: IncomingMessage): string | undefined {
  const offered = request.headers['sec-websocket-protocol']?.split(',') ?? []
  const name = offered.map((protocol) => protocol.trim()).find((protocol) => protocol.startsWith('bearer.'))
  return name?.slice('bearer.'.length)
}
