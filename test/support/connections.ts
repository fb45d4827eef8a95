import { onTestFinished } from 'vitest'
import WebSocket from 'ws'
import { type ConnectParts, connect } from '../../client/src/connection/connect.ts'
import type { Connection, ConnectOptions } from '../../client/src/connection/connection.ts'
import type { ConnectionState } from '../../client/src/connection/state.ts'
import type { CoeditServer, ServerOptions } from '../../server/src/index.ts'
import { startInProcess } from './in-process-server.ts'
import { startProxy, type TcpProxy } from './proxy.ts'
import { temporaryDirectory } from './temporary.ts'

/** Connects until the end of the test, to the document `notes` unless told otherwise. */
export function open(options: Partial<ConnectOptions> & { readonly url: string }, parts?: ConnectParts): Connection {
  const connection = connect({ document: 'notes', WebSocket, ...options }, parts)
  onTestFinished(() => connection.destroy())
  return connection
}

/** Resolves when a state satisfies `isReached`, now or later. */
export function reached(connection: Connection, isReached: (state: ConnectionState) => boolean): Promise<void> {
  return new Promise((resolve) => {
    if (isReached(connection.state)) return resolve()
    const end = connection.subscribe((state) => {
      if (!isReached(state)) return
      end()
      resolve()
    })
  })
}

/** Resolves when the shared text is exactly this. */
export function contains(connection: Connection, text: string): Promise<void> {
  return new Promise((resolve) => {
    const check = () => {
      if (connection.text.toString() !== text) return
      connection.text.unobserve(check)
      resolve()
    }
    connection.text.observe(check)
    check()
  })
}

/** The codes of the errors that a connection raises from now on. */
export function recordErrors(connection: Connection): readonly string[] {
  const codes: string[] = []
  connection.onError(({ code }) => codes.push(code))
  return codes
}

export interface RestartableServer {
  /** Stays the same when the server is started anew. */
  readonly url: string
  readonly proxy: TcpProxy
  close(): Promise<void>
  restart(): Promise<void>
}

/** A server at an address that stays, with data that stay. */
export async function startRestartable(options: ServerOptions = {}): Promise<RestartableServer> {
  const data = await temporaryDirectory(onTestFinished)
  const proxy = await startProxy({ release: onTestFinished })
  let server: CoeditServer
  const start = async () => {
    const started = await startInProcess({ release: onTestFinished, options: { ...options, data } })
    proxy.leadTo(started.url)
    server = started.server
  }
  await start()
  return { url: proxy.url, proxy, close: () => server.close(), restart: start }
}
