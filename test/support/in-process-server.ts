import {
  type Authenticate,
  type Clock,
  type CoeditServer,
  createServer,
  type Hooks,
  type ServerOptions,
} from '../../server/src/index.ts'
import { type RecordingLog, recordingLog } from './log.ts'
import { type Release, temporaryDirectory } from './temporary.ts'

export interface InProcessOptions {
  /** Where the clean-up goes: the server is closed and its data removed. */
  readonly release: Release
  readonly options?: ServerOptions
  /** Default: the time of the system. With another one commits are 10 ms of it apart, however busy the machine is. */
  readonly clock?: Clock
  /** Default: what the options say. */
  readonly authenticate?: Authenticate
  readonly hooks?: Hooks
}

/** A server in the process of the test. */
export interface InProcessServer extends Pick<RecordingLog, 'lines' | 'logged'> {
  /** With a slash at the end. */
  readonly url: string
  readonly data: string
  readonly server: CoeditServer
}

/** The event loop is measured in the time of the system, which another clock knows nothing of. */
const BY_CLOCK = { busyShare: 0, maxGatherMs: 10 }

/** Starts a server on a free port and an empty directory. */
export async function startInProcess(settings: InProcessOptions): Promise<InProcessServer> {
  const { release, options, clock, authenticate, hooks } = settings
  const data = options?.data ?? (await temporaryDirectory(release))
  const { log, lines, logged } = recordingLog()
  const parts = { log, ...(clock && { clock }), ...(authenticate && { authenticate }), ...(hooks && { hooks }) }
  const server = createServer({ port: 0, shutdownSpreadMs: 0, ...(clock && BY_CLOCK), ...options, data }, parts)
  await server.listen()
  release(() => server.close())
  return { url: server.url, data, lines, logged, server }
}
