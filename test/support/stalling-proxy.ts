import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import type { Release } from './temporary.ts'

/** A line that can go dead: both ends stay open, and neither hears of the other any more. */
export interface StallingProxy {
  /** With a slash at the end. */
  readonly url: string
  /** From now on nothing gets through, on the lines there are and on new ones. */
  stall(): void
  /** Lines from now on work; those that have stalled do not come back. */
  recover(): void
}

/** Starts a proxy in front of the server at `target`, on a free port of 127.0.0.1. */
export async function startStallingProxy(release: Release, target: string): Promise<StallingProxy> {
  const { hostname, port } = new URL(target)
  const sockets = new Set<Socket>()
  let isStalled = false
  const server = createServer((client) => {
    sockets.add(client)
    client.on('error', () => client.destroy())
    if (isStalled) return
    const upstream = connect(Number(port), hostname)
    sockets.add(upstream)
    upstream.on('error', () => client.destroy())
    client.pipe(upstream).pipe(client)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  release(async () => {
    const closed = once(server, 'close')
    server.close()
    for (const socket of sockets) socket.destroy()
    await closed
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the proxy does not listen')
  return {
    url: `http://127.0.0.1:${address.port}/`,
    stall: () => {
      isStalled = true
      for (const socket of sockets) socket.unpipe().pause()
    },
    recover: () => {
      isStalled = false
    },
  }
}
