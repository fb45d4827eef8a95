import { type ServerProcess, startServer } from './process.ts'
import { startProxy } from './proxy.ts'
import type { Release } from './temporary.ts'

export interface MortalServer {
  /** With a slash at the end, as a server's ready line names it. */
  readonly url: string
  /** What serves, or did until it was killed. */
  readonly process: ServerProcess
  /** Ends the server by the signal (default SIGKILL). Nothing answers until `restart`. */
  kill(signal?: NodeJS.Signals): Promise<unknown>
  /** Starts another server on what the killed one left, with the same flags. */
  restart(): Promise<void>
}

/** A server at an address that stays the same when it is killed and another process takes over its data. */
export async function startMortalServer(release: Release, flags: readonly string[] = []): Promise<MortalServer> {
  let server = await startServer({ release, flags })
  const proxy = await startProxy({ release, target: server.url })
  return {
    url: proxy.url,
    get process() {
      return server
    },
    kill: (signal) => server.kill(signal),
    restart: async () => {
      server = await startServer({ release, flags, data: server.data })
      proxy.leadTo(server.url)
    },
  }
}
