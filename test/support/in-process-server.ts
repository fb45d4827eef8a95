import { type Clock, type CoeditServer, createServer, type ServerOptions } from '../../server/src/index.ts'
import { type LogLine, recordingLog } from './log.ts'
import { type Release, temporaryDirectory } from './temporary.ts'

export interface InProcessOptions {
  /** Where the clean-up goes: the server is closed and its data removed. */
  readonly release: Release
  readonly options?: ServerOptions
  /** Default: the time of the system. */
  readonly clock?: Clock
}

/** A server in the process of the test. */
export interface InProcessServer {
  /** With a slash at the end. */
  readonly url: string
  readonly data: string
  /** What it has logged so far. */
  readonly lines: readonly LogLine[]
  readonly server: CoeditServer
}

/** Starts a server on a free port and an empty directory. */
export async function startInProcess({ release, options, clock }: InProcessOptions): Promise<InProcessServer> {
  const data = options?.data ?? (await temporaryDirectory(release))
  const { log, lines } = recordingLog()
  const server = createServer({ port: 0, shutdownSpreadMs: 0, ...options, data }, { log, ...(clock && { clock }) })
  await server.listen()
  release(() => server.close())
  return { url: server.url, data, lines, server }
}
