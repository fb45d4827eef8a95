import { startServer } from './process.ts'
import { startProxy } from './proxy.ts'
import type { Release } from './temporary.ts'

export interface MortalServer {
  /** With a slash at the end, as a server's ready line names it. */
  readonly url: string
  /** Ends the server at once. Nothing answers until `restart`. */
  kill(): Promise<unknown>
  /** Starts another server on what the killed one left. */
  restart(): Promise<void>
}

/** A server at an address that stays the same when it is killed and another process takes over its data. */
export async function startMortalServer(release: Release): Promise<MortalServer> {
  const server = await startServer({ release })
  const proxy = await startProxy({ release, target: server.url })
  return {
    url: proxy.url,
    kill: () => server.kill('SIGKILL'),
    restart: async () => proxy.leadTo((await startServer({ release, data: server.data })).url),
  }
}
