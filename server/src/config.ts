import { isIPv4 } from 'node:net'
import { z } from 'zod'
import { CoeditError } from './errors.ts'
import { OptionSet } from './options.ts'

const KiB = 1024
const MiB = 1024 * KiB
const GiB = 1024 * MiB

const integer = (min: number, max: number) => z.int().min(min).max(max)
const real = (min: number, max: number) => z.number().min(min).max(max)

/**
 * Every option, once: flags, environment variables, `--help`, the table in server/README.md and the types below are
 * made from here. Names end in their unit (`Bytes`, `Ms`). The text under `expected` completes "expected …" in errors.
 */
export const serverSchema = z.strictObject({
  port: integer(0, 65_535).default(1234).describe('TCP port to listen on; 0 takes any free one.'),
  host: z.string().min(1).default('127.0.0.1').meta({
    description:
      'Address to listen on. Any but a loopback one needs `insecureNoAuth` while there is no authentication.',
    expected: 'a host name or an IP address',
  }),
  data: z.string().min(1).default('./coedit-data').meta({
    description: 'Directory of the database; made when it is missing. One server at a time may use it.',
    expected: 'a path',
  }),
  basePath: z
    .string()
    .regex(/^(\/(?!\.{1,2}(\/|$))[\w.~-]+)*$/)
    .default('')
    .meta({
      description: 'Path under which everything is served, for use behind a proxy that shares its host name.',
      expected: 'nothing or a path such as /coedit, without a slash at its end',
    }),
  insecureNoAuth: z
    .boolean()
    .default(false)
    .describe('Listen on a public address although everybody who reaches it can read and write every document.'),
  logLevel: z
    .enum(['silent', 'error', 'warn', 'info', 'debug'])
    .default('info')
    .describe('Least severe kind of log line that is written to stderr.'),

  maxMessageBytes: integer(KiB, GiB)
    .default(64 * MiB)
    .describe('Largest WebSocket message; a larger one closes the connection with 1009.'),
  maxFirstMessageBytes: integer(KiB, GiB)
    .default(MiB)
    .describe('Largest message before the first sync step 1 of a connection; a larger one closes it with 1009.'),
  maxFragments: integer(1, 1_000_000)
    .default(4096)
    .describe('Most fragments of one message; Chromium cuts at 131,000 bytes or less. More close with 1008.'),
  maxNameBytes: integer(1, 4096)
    .default(255)
    .describe('Longest document name in UTF-8; a longer one closes the connection with 4400.'),
  maxPendingBytes: integer(64 * KiB, GiB)
    .default(8 * MiB)
    .describe('Edits of a document that wait to be durable, past which its writers are not read until they are.'),
  socketBufferBytes: integer(16 * KiB, GiB)
    .default(MiB)
    .describe('Unsent bytes of a connection past which it gets no more until it has read; what it missed is merged.'),
  snapshotCacheBytes: integer(0, 1024 * GiB)
    .default(256 * MiB)
    .describe('Snapshots kept in memory, all documents together.'),

  maxGatherMs: real(0, 1000)
    .default(25)
    .describe('Longest distance between two commits of a document; edits that come in between gather.'),
  gatherMsPerSubscriber: real(0, 10)
    .default(0.125)
    .describe('Distance between two commits for each connection to the document, up to `maxGatherMs`.'),
  presenceIntervalMs: integer(0, 60_000)
    .default(100)
    .describe('Shortest time between two presence frames of a document that has many connections.'),
  maxPresenceBytes: integer(64, MiB)
    .default(16 * KiB)
    .describe("Largest presence state of one client; a larger one is refused and the client's last one stays."),
  maxPresenceIds: integer(1, 1024)
    .default(4)
    .describe(
      'Client ids whose presence one connection may set beside its own, unless another connection claims them.',
    ),
  keepAliveMs: integer(100, 29_000)
    .default(20_000)
    .describe('Silence after which a connection is sent an empty presence message; clients give up after 30 s.'),
  pingIntervalMs: integer(100, 3_600_000)
    .default(30_000)
    .describe('Time between two WebSocket pings; a connection that left the last one unanswered is cut.'),
  shutdownSpreadMs: integer(0, 60_000)
    .default(2000)
    .describe('Longest time over which connections are closed at shutdown, so that they do not come back all at once.'),

  compactMinBytes: integer(0, GiB)
    .default(64 * KiB)
    .describe('Bytes of entries past which a document may be compacted.'),
  compactRatio: real(0, 1000)
    .default(0.5)
    .describe('Bytes of entries, as a multiple of the snapshot, past which a document is compacted.'),
  compactMaxEntries: integer(1, 1_000_000)
    .default(2000)
    .describe('Number of entries past which a document is compacted, however small they are.'),
  compactIntervalMs: integer(0, 3_600_000)
    .default(10_000)
    .describe('Shortest time between two compactions of an open document, unless its log passes the limits by far.'),
  chunkBytes: integer(KiB, 16 * MiB)
    .default(256 * KiB)
    .describe('Size at which a snapshot is cut into chunks; a joining client gets each as a message of its own.'),
})

/** What `createServer` takes: every option may be left out. */
export type ServerOptions = z.input<typeof serverSchema>

/** Options validated, with defaults filled in. */
export type Config = z.output<typeof serverSchema>

const serverOptions = new OptionSet(serverSchema)

/** Every option, in the order of declaration. */
export const optionFacts = serverOptions.facts

/**
 * Validates options and fills in the defaults.
 *
 * @throws CoeditError OPTION_INVALID for an unknown option or a value out of range; HOST_NEEDS_AUTH for a host that
 *   others can reach.
 */
export function parseOptions(options: ServerOptions): Config {
  return withSafeHost(serverOptions.parse(options))
}

/**
 * Reads the command line and the environment; a flag wins over a variable, a variable over the default. An empty
 * variable counts as unset. The flags that are commands (`--help`, `--version`) are the caller's.
 *
 * @param argv arguments without node and script
 * @throws CoeditError as `parseOptions`; messages name the flag or variable as it was given
 */
export function configFromProcess(argv: readonly string[], env: Readonly<NodeJS.ProcessEnv>): Config {
  return withSafeHost(serverOptions.fromProcess(argv, env).options)
}

function withSafeHost(config: Config): Config {
  if (!config.insecureNoAuth && !isLoopback(config.host)) throw hostNeedsAuth(config.host)
  return config
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'))
}

function hostNeedsAuth(host: string): CoeditError {
  return new CoeditError(
    'HOST_NEEDS_AUTH',
    `host ${host} can be reached by others, and everybody could read and write every document: ` +
      'listen on 127.0.0.1 behind a proxy that authenticates, or accept the risk with --insecure-no-auth',
  )
}
