import { z } from 'zod'
import { isAddressList } from '../common/addresses.ts'
import { CoeditError } from '../common/errors.ts'
import { LOG_LEVELS } from '../common/log.ts'
import { isLoopback, isPrivateUrl } from '../common/loopback.ts'
import { areOrigins, isWebOriginOrEmpty } from '../common/origins.ts'
import { isOneOf } from '../common/patterns.ts'
import { OptionSet } from './options.ts'

const KiB = 1024
const MiB = 1024 * KiB
const GiB = 1024 * MiB
const DAY_MS = 24 * 60 * 60 * 1000

const integer = (min: number, max: number) => z.int().min(min).max(max)
const real = (min: number, max: number) => z.number().min(min).max(max)

/** RFC 7518 §3.2: a key of HS256 is no shorter than its hash. */
const MIN_SECRET_BYTES = 32

/** A third of a page of PostgreSQL, less what an index needs around it: that is how long its keys may be. */
export const MAX_DATABASE_NAME_BYTES = 2600

const databaseUrl = z.string().refine((url) => url === '' || isDatabaseUrl(url))

/**
 * Every option, once: flags, environment variables, `--help`, the table in server/README.md and the types below are
 * made from here. Names end in their unit (`Bytes`, `Ms`). The text under `expected` completes "expected …" in errors.
 */
export const serverSchema = z.strictObject({
  port: integer(0, 65_535)
    .default(1234)
    .meta({
      description: 'TCP port to listen on; 0 takes any free one. Where it is not given, the variable PORT counts.',
      fallback: { variable: 'PORT' },
    }),
  host: z
    .string()
    .min(1)
    .default('127.0.0.1')
    .meta({
      description:
        'Address to listen on. Any but a loopback one needs authentication (`authSecret` and others) or `insecureNoAuth`. ' +
        'Where it is not given, the variable HOST counts.',
      expected: 'a host name or an IP address',
      fallback: { variable: 'HOST' },
    }),
  data: z.string().min(1).default('./coedit-data').meta({
    description: 'Directory of the database; made when it is missing. One server at a time may use it.',
    expected: 'a path',
  }),
  database: databaseUrl.default('').meta({
    description:
      'PostgreSQL in the place of `data`, which any number of servers may use; several hosts have commas between them. ' +
      'What the URL leaves out comes from PGHOST, PGUSER and so on. Default: DATABASE_URL, where that is such a URL and ' +
      '`data` is not given. A flag shows in the list of processes.',
    expected: 'nothing or a URL such as postgres://user@host:5432/name',
    secret: true,
    fallback: { variable: 'DATABASE_URL', unless: 'data' },
  }),
  databaseDirect: databaseUrl.default('').meta({
    description:
      'The same PostgreSQL past a pool such as PgBouncer, where `database` leads to one: to listen to what other servers ' +
      'write takes a connection of its own.',
    expected: 'nothing or a URL such as postgres://user@host:5432/name',
    secret: true,
  }),
  hints: z
    .string()
    .refine((url) => url === '' || isRedisUrl(url))
    .default('')
    .meta({
      description:
        'Redis by which the servers of a `database` tell each other what was written and who is here. Default: by the ' +
        'database itself, which serves some eight servers well. Nothing depends on it; a flag shows in the list of processes.',
      expected: 'nothing or a URL such as redis://:password@host:6379, or rediss:// with TLS',
      secret: true,
    }),
  nodeName: z
    .string()
    .regex(/^[\x21-\x7e]{0,64}$/)
    .default('')
    .meta({
      description: 'Name of this server among several. `/health`, `/ready` and clients are told; it is no secret.',
      expected: 'nothing or up to 64 visible characters of ASCII, such as node-1',
    }),
  basePath: z
    .string()
    .regex(/^(\/(?!\.{1,2}(\/|$))[\w.~-]+)*$/)
    .default('')
    .meta({
      description: 'Path under which everything is served, for use behind a proxy that shares its host name.',
      expected: 'nothing or a path such as /coedit, without a slash at its end',
    }),
  hocuspocusPaths: z
    .string()
    .regex(/^(\/[^\s,?#]*(,\s*\/[^\s,?#]*)*)?$/)
    .default('')
    .meta({
      description:
        'Paths at which clients of Hocuspocus are answered, beside `basePath` itself: for apps whose URL cannot be ' +
        'changed. No document can have such a path.',
      expected: 'nothing, or paths such as /collaboration with commas between them',
    }),
  insecureNoAuth: z
    .boolean()
    .default(false)
    .describe(
      'Listen on a public address, and answer to any host name, although everybody who gets there can read and write ' +
        'every document.',
    ),
  authSecret: z
    .string()
    .refine((secret) => secret === '' || Buffer.byteLength(secret) >= MIN_SECRET_BYTES)
    .default('')
    .meta({
      description: 'Secret that tokens are signed with (JWT, HS256). A flag shows in the list of processes.',
      expected: `nothing or at least ${MIN_SECRET_BYTES} bytes`,
      secret: true,
    }),
  authPublicKey: z.string().default('').meta({
    description: 'Public key for tokens that are signed with the private one (JWT; RS, PS, ES or EdDSA).',
    expected: 'nothing, a public key as PEM or the path of a PEM file',
    secret: true,
  }),
  authJwksUrl: z.string().refine(isPrivateUrl).default('').meta({
    description: 'Where an identity provider publishes its public keys (JWKS; RS, PS, ES or EdDSA).',
    expected: 'nothing or an https URL (http on a loopback address)',
    secret: true,
  }),
  authIssuer: z.string().default('').meta({
    description: 'Issuer (iss) that tokens must name; empty: any.',
    expected: 'text',
  }),
  authAudience: z.string().default('').meta({
    description: 'Audience (aud) that tokens must name; empty: any.',
    expected: 'text',
  }),
  authCookie: z
    .string()
    .regex(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]*$/)
    .default('')
    .meta({
      description:
        'Cookie that may hold the token; empty: none may. Does not go together with all origins being allowed.',
      expected: 'nothing or the name of a cookie',
    }),
  authLeewayMs: integer(0, 300_000)
    .default(5000)
    .describe('How far the clock of who issues tokens may be off: they are good so much before nbf, and after exp.'),
  authTimeoutMs: integer(100, 60_000)
    .default(10_000)
    .describe('Longest time that authentication may take; past it a client is told to come back later.'),
  allowedOrigins: z
    .string()
    .refine(areOrigins)
    .default('')
    .meta({
      description:
        'Origins of pages that may connect, beside those of the host that the request names and, on this machine, of ' +
        'others on it. Without authentication the server answers to no host but theirs and loopback ones.',
      expected:
        'nothing, origins such as https://example.com, capacitor://localhost or null with commas between them, or * for all',
    }),
  publicOrigin: z
    .string()
    .refine(isWebOriginOrEmpty)
    .default('')
    .meta({
      description:
        'Origin under which a proxy shows the server to the world, where it does not pass on the host that it was asked ' +
        'for: pages of it may connect.',
      expected: 'nothing or an origin such as https://docs.example.com',
    }),
  logLevel: z.enum(LOG_LEVELS).default('info').describe('Least severe kind of log line that is written to stderr.'),

  trustProxy: z
    .string()
    .refine(isAddressList)
    .default('')
    .meta({
      description:
        'Proxies in front of the server, beside those on loopback: of a request from one of them, the last address in ' +
        'X-Forwarded-For that is no proxy counts.',
      expected: 'nothing, or IP addresses and ranges such as 10.0.0.0/8 with commas between them',
    }),
  requestTimeoutMs: integer(100, 600_000)
    .default(10_000)
    .describe('Longest time that a client may take to send a request; then it is answered with 408 and cut.'),
  maxConnectionsPerAddress: integer(1, 1_000_000)
    .default(1000)
    .describe('Connections of an address (IPv6: a /64), event streams too; more get 429. Loopback is not counted.'),
  maxConnectionsPerUser: integer(1, 1_000_000)
    .default(1000)
    .describe('WebSockets and event streams of one user; a WebSocket more is closed with 1013, a stream gets 429.'),
  maxConnectionsPerDocument: integer(1, 1_000_000)
    .default(10_000)
    .describe('WebSockets and event streams of one document; a WebSocket more is closed with 1013, a stream gets 429.'),
  maxDocumentsPerSocket: integer(1, 100_000)
    .default(1000)
    .describe('Documents that a client of Hocuspocus may have open over one WebSocket; it is denied more.'),
  maxBytesPerSecond: integer(KiB, GiB)
    .default(2_000_000)
    .describe('What a connection may send for long; past that, and past `maxBurstBytes`, it is read no faster.'),
  maxBurstBytes: integer(KiB, GiB)
    .default(64 * MiB)
    .describe('What a connection may send at once, such as what was written offline.'),
  maxCpuMsPerSecond: integer(1, 1000)
    .default(200)
    .describe('Time of the event loop that the messages of a connection may take for long; past that it waits.'),

  maxMessageBytes: integer(KiB, GiB)
    .default(64 * MiB)
    .describe('Largest WebSocket message; a larger one closes the connection with 1009.'),
  maxBodyBytes: integer(KiB, GiB)
    .default(16 * MiB)
    .describe('Largest body of an HTTP request; a larger one is answered with 413.'),
  maxFirstMessageBytes: integer(KiB, GiB)
    .default(MiB)
    .describe('Largest message before the first sync step 1 of a connection; a larger one closes it with 1009.'),
  maxFragments: integer(1, 1_000_000)
    .default(4096)
    .describe('Most fragments of one message; Chromium cuts at 131,000 bytes or less. More close with 1008.'),
  maxNameBytes: integer(1, 4096)
    .default(255)
    .describe('Longest document name in UTF-8; a longer one closes the connection with 4400.'),
  maxDocumentBytes: integer(KiB, GiB)
    .default(64 * MiB)
    .describe(
      'Encoded document, with 16 bytes for each deleted range; past it only deletions are taken, an eighth more of them.',
    ),
  maxDocumentClients: integer(1, 1_000_000)
    .default(1_000_000)
    .describe('Client ids in a document; past it only deletions are taken. Each page that somebody edits in has one.'),
  maxPendingBytes: integer(64 * KiB, GiB)
    .default(8 * MiB)
    .describe('Edits of a document that wait to be durable, past which its writers are not read until they are.'),
  socketBufferBytes: integer(16 * KiB, GiB)
    .default(MiB)
    .describe('Unsent bytes of a connection past which it gets no more until it has read; what it missed is merged.'),
  snapshotCacheBytes: integer(0, 1024 * GiB)
    .default(256 * MiB)
    .describe('Snapshots kept in memory while nobody is sent them, all documents together.'),
  maxPrivateBytes: integer(0, 1024 * GiB)
    .default(64 * MiB)
    .describe('Answers made for single readers, until they are read; past it, one gets all that everybody gets.'),

  busyShare: real(0, 1)
    .default(1)
    .describe(
      'Share of time that the event loop may be busy before edits of all documents gather; idle time saves up to 150 ms. 1: they gather only while a commit is under way. 0: always for `maxGatherMs`.',
    ),
  documentBusyShare: real(0, 1)
    .default(0.3)
    .describe(
      'Share of time that the event loop may be busy with one document, whose flushes take 5 ms, before its edits gather: a smaller one with shorter flushes, and a larger one with longer. 0: always for `maxGatherMs`.',
    ),
  maxGatherMs: real(0, 1000)
    .default(25)
    .describe(
      'Longest time between two commits for which edits gather, and for which those of other servers wait to be shown with them.',
    ),
  presenceIntervalMs: integer(0, 60_000)
    .default(100)
    .describe('Shortest time between two presence frames of a document that has many connections.'),
  maxPresenceBytes: integer(64, MiB)
    .default(64 * KiB)
    .describe("Largest presence state of one client; a larger one is refused and the client's last one stays."),
  presenceFrom: z
    .enum(['all', 'writers', 'nobody'])
    .default('all')
    .describe('Who may show a name, a cursor and whatever else presence holds to the others of a document.'),
  statelessFrom: z
    .enum(['all', 'writers', 'nobody'])
    .default('nobody')
    .describe(
      'Whose stateless messages of at most 65,536 characters are passed to the other clients of Hocuspocus that have ' +
        'the document open on the same server.',
    ),
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
  stallTimeoutMs: integer(1000, 3_600_000)
    .default(60_000)
    .describe(
      'Longest time that a peer may take nothing of what it is sent; then a WebSocket is closed with 1013, all else cut.',
    ),
  drainMs: integer(0, 600_000)
    .default(0)
    .describe(
      'Time at shutdown in which `/ready` is 503 and all else goes on, until load balancers that ask for it send nobody ' +
        'here any more: as long as they need to notice.',
    ),
  shutdownSpreadMs: integer(0, 60_000)
    .default(2000)
    .describe('Longest time over which connections are closed at shutdown, so that they do not come back all at once.'),

  hookTimeoutMs: integer(10, 600_000)
    .default(10_000)
    .describe('Longest time that a call of a hook may take; then it is given up.'),
  maxHookCalls: integer(1, 1_000_000)
    .default(1000)
    .describe('Calls of the hooks connect, disconnect and close under way at once; further ones are dropped.'),
  changeQuietMs: integer(0, 3_600_000)
    .default(2000)
    .describe('Silence in a document after which the hook change is called.'),
  normalizeLineEnds: z
    .boolean()
    .default(false)
    .describe(
      'Whether all line ends of texts that coedit import takes over, or into which edit() and the hook load write, ' +
        'become \\n. Some editors count \\r\\n as one character, and drift apart from others.',
    ),
  changeMaxWaitMs: integer(0, 3_600_000)
    .default(10_000)
    .describe('Longest time that the hook change waits for silence.'),

  webhooks: z
    .string()
    .default('')
    .meta({
      description:
        'Webhooks beside those that are made by the API: a list in JSON, or the path of a file with it. Each has an id and a ' +
        'secret beside what POST /api/webhooks takes. Those that are no longer in it are removed at the start.',
      expected: 'nothing, a list in JSON or the path of a file with it',
      secret: true,
    }),
  webhookAddresses: z
    .string()
    .refine(isAddressList)
    .default('')
    .meta({
      description:
        'Addresses that webhooks may lead to beside those on the public internet, and without TLS as well. What is there ' +
        'gets requests from this server, to which whoever may make webhooks chooses the path.',
      expected: 'nothing, or IP addresses and ranges such as 10.0.0.0/8 with commas between them',
    }),
  webhookTimeoutMs: integer(100, 60_000)
    .default(15_000)
    .describe(
      'Longest time that the receiver of a webhook may take to answer; then it has failed, and is tried again.',
    ),
  webhookRetryMs: integer(0, 30 * DAY_MS)
    .default(3 * DAY_MS)
    .describe('For how long a webhook that cannot be told of a document is tried again by itself.'),

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
  history: z
    .string()
    .regex(/^(off|forever|[1-9]\d{0,4}d)$/)
    .default('30d')
    .meta({
      description:
        'How long it is kept what documents were, and who wrote it, for the API of the history: so many days (some more, as it goes away in ' +
        'pieces), forever, or off. Deleting a document erases its history in any case.',
      expected: 'a number of days such as 30d, forever or off',
    }),
  keepDeleted: z
    .string()
    .regex(/^([^,]+(,[^,]+)*)?$/)
    .default('')
    .meta({
      description:
        'Documents of which compaction keeps the deleted content, for editors that show versions by Y.snapshot: they grow with each edit. What was freed ' +
        'before does not come back.',
      expected: 'nothing, or names and beginnings of names such as notes,team/* with commas between them',
    }),
  chunkBytes: integer(KiB, 16 * MiB)
    .default(256 * KiB)
    .describe(
      'Size at which a document is cut into chunks, unless an eighth of it is more; a joining client gets each as a message of its own.',
    ),
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
 * @param hasAuthenticate whether the app authenticates by a function of its own
 * @throws CoeditError OPTION_INVALID for an unknown option, a value out of range, or options of authentication that do
 *   not go together; HOST_NEEDS_AUTH for a host that others can reach
 */
export function parseOptions(options: ServerOptions, hasAuthenticate = false): Config {
  return checked(serverOptions.parse(options), hasAuthenticate)
}

/**
 * Reads the command line and the environment; a flag wins over a variable, a variable over the default, and PORT and HOST
 * are taken where nothing else says it. An empty variable counts as unset. The flags that are commands (`--help`, `--version`) are the caller's.
 *
 * @param argv arguments without node and script
 * @throws CoeditError as `parseOptions`; messages name the flag or variable as it was given
 */
export function configFromProcess(argv: readonly string[], env: Readonly<NodeJS.ProcessEnv>): Config {
  return checked(serverOptions.fromProcess(argv, env).options, false)
}

/** Whether it names a PostgreSQL rather than a directory. */
export function isDatabaseUrl(text: string): boolean {
  return /^postgres(ql)?:\/\//.test(text)
}

/** Whether deleted content of a document is kept. */
export function keepsDeleted(document: string, { keepDeleted }: Pick<Config, 'keepDeleted'>): boolean {
  const patterns = keepDeleted.split(',').map((pattern) => pattern.trim())
  return isOneOf(document, patterns)
}

/** How long the option says that history is kept, in milliseconds: 0 for none, infinite for ever. */
export function historyMs({ history }: Pick<Config, 'history'>): number {
  if (history === 'off') return 0
  return history === 'forever' ? Number.POSITIVE_INFINITY : Number.parseInt(history, 10) * DAY_MS
}

function isRedisUrl(text: string): boolean {
  return /^rediss?:\/\//.test(text)
}

/** Whether tokens are checked: there is a key to check them by. */
export function checksTokens({ authSecret, authPublicKey, authJwksUrl }: Config): boolean {
  return authSecret !== '' || authPublicKey !== '' || authJwksUrl !== ''
}

function checked(config: Config, hasAuthenticate: boolean): Config {
  const keys = given(config, ['authSecret', 'authPublicKey', 'authJwksUrl'])
  const demands = given(config, ['authIssuer', 'authAudience'])
  if (keys.length > 1) throw invalid(`${keys.join(' and ')} are given: expected only one key`)
  if (hasAuthenticate && keys.length + demands.length > 0) {
    throw invalid(`${[...keys, ...demands].join(' and ')} would check nothing beside authenticate: expected only one`)
  }
  const isAuthenticated = hasAuthenticate || keys.length > 0
  const idle = isAuthenticated ? [] : [...demands, ...given(config, ['authCookie'])]
  if (idle.length > 0) throw invalid(`${idle.join(' and ')} would check nothing: expected a key for tokens, too`)
  if (config.authCookie !== '' && config.allowedOrigins === '*') {
    throw invalid("authCookie would let every page use its visitor's cookie: expected origins one by one, not *")
  }
  if (config.databaseDirect !== '' && config.database === '') {
    throw invalid('databaseDirect is the way past the pool that database leads to: expected database, too')
  }
  if (config.hints !== '' && config.database === '') {
    throw invalid('hints is for the servers of a database: expected database, too')
  }
  if (config.database !== '' && config.maxNameBytes > MAX_DATABASE_NAME_BYTES) {
    throw invalid(`maxNameBytes is ${config.maxNameBytes}: expected at most ${MAX_DATABASE_NAME_BYTES} with a database`)
  }
  if (!isAuthenticated && !config.insecureNoAuth && !isLoopback(config.host)) throw hostNeedsAuth(config.host)
  return config
}

function given<Name extends keyof Config>(config: Config, names: readonly Name[]): Name[] {
  return names.filter((name) => config[name] !== '')
}

function invalid(message: string): CoeditError {
  return new CoeditError('OPTION_INVALID', message)
}

function hostNeedsAuth(host: string): CoeditError {
  return new CoeditError(
    'HOST_NEEDS_AUTH',
    `host ${host} (--host, COEDIT_HOST or HOST) can be reached by others, and everybody could read and write every document: ` +
      'give a key for tokens (--auth-jwks-url, --auth-public-key or --auth-secret), ' +
      'listen on 127.0.0.1 behind a proxy that authenticates, or accept the risk with --insecure-no-auth',
  )
}
