import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { Doc } from 'yjs'
import { Authority } from './auth/authority.ts'
import { type Authenticate, admitEverybody } from './auth/grant.ts'
import type { Revocation } from './auth/revocations.ts'
import { TokenAuthenticator } from './auth/tokens.ts'
import { CoeditError } from './common/errors.ts'
import { createLog, type Log } from './common/log.ts'
import { type Clock, keepAlive, systemClock, withDeadline } from './common/timing.ts'
import { type Config, checksTokens, parseOptions, type ServerOptions } from './config/config.ts'
import { Contents } from './content/contents.ts'
import { Guests } from './content/guests.ts'
import { Past } from './content/past.ts'
import { type ServerHistory, serverHistory } from './content/server-history.ts'
import { Documents } from './document/documents.ts'
import type { Yjs } from './document/in-process.ts'
import { HookCalls } from './hooks/calls.ts'
import type { HookCounts, HookName, Hooks, Seed } from './hooks/hooks.ts'
import { Admission } from './http/admission.ts'
import { createDocumentsApi } from './http/api/documents-api.ts'
import { createApp, type Health, type Readiness, type RequestListener } from './http/app.ts'
import { Calls } from './http/calls.ts'
import { Connections } from './http/connections.ts'
import { hangUp } from './http/cut.ts'
import { EventStreams } from './http/event-streams.ts'
import { checkHostFor } from './http/host.ts'
import { closed, httpServer, listening } from './http/listening.ts'
import { createMetricsRoutes, Metrics, type Present } from './http/metrics.ts'
import { restorePath } from './http/mounted.ts'
import { Refusals } from './http/refusals.ts'
import { createRevocationRoutes } from './http/revocation-routes.ts'
import { Upgrades } from './http/upgrade.ts'
import { engineOf } from './storage/engine.ts'
import type { Storage, StorageDamage } from './storage/storage.ts'
import { readConfigured } from './webhooks/configured.ts'
import { Deliveries } from './webhooks/deliveries.ts'
import { Sender } from './webhooks/sender.ts'
import { WebhookList } from './webhooks/webhook-list.ts'
import { WorkerPool } from './workers/pool.ts'

/** Where the build puts the demo page, seen from `dist` and from `src` alike. */
const PUBLIC_DIRECTORY = fileURLToPath(new URL('../dist/public', import.meta.url))

/** At shutdown: how long a disk that cannot be written may hold up the end. */
const COMMIT_DEADLINE_MS = 10_000

/** What makes servers that give documents of this copy of Yjs to the code around them. */
export function serversWith(yjs: Yjs): CreateServer {
  return (options = {}, parts = {}) => {
    checkParts(parts)
    return new CoeditServer(parseOptions(options, parts.authenticate !== undefined), parts, yjs)
  }
}

/** A part under a name that is not known would be left out without a word, and with it who may do what. */
function checkParts(parts: ServerParts): void {
  const known: Readonly<Record<keyof ServerParts, true>> = { log: true, clock: true, authenticate: true, hooks: true }
  for (const name of Object.keys(parts)) {
    if (Object.hasOwn(known, name)) continue
    const names = Object.keys(known).join(', ')
    throw new CoeditError('OPTION_INVALID', `unknown part ${name}: expected one of ${names}`)
  }
}

/** @throws CoeditError OPTION_INVALID, HOST_NEEDS_AUTH */
export type CreateServer = (options?: ServerOptions, parts?: ServerParts) => CoeditServer

/** What an embedding app, or a test, may bring itself. */
export interface ServerParts {
  /** Default: pino to stderr at the level of the option `logLevel`. */
  readonly log?: Log
  /** Default: the time of the system. */
  readonly clock?: Clock
  /** Decides who may do what, instead of the options for tokens. Default: they do, and without them everybody may. */
  readonly authenticate?: Authenticate
  /** What the app wants to hear of, and what its new documents start with. */
  readonly hooks?: Hooks
}

export interface ServerStats {
  /** What was found of the database since it was opened. */
  readonly damage: StorageDamage
  /** How many are in memory. */
  readonly documents: number
  readonly hooks: Readonly<Record<HookName, HookCounts>>
}

export type { ServerHistory } from './content/server-history.ts'

export class CoeditServer {
  /** What documents were, who wrote what, and how they become that again; as long as the option `history` has it kept. */
  readonly history: ServerHistory
  readonly #config: Config
  readonly #clock: Clock
  readonly #log: Log
  readonly #storage: Storage
  readonly #workers: WorkerPool
  readonly #hooks: HookCalls
  readonly #documents: Documents
  readonly #contents: Contents
  readonly #guests: Guests
  readonly #webhooks: WebhookList
  readonly #deliveries: Deliveries
  readonly #calls: Calls
  readonly #connections: Connections
  readonly #past: Past
  readonly #tokens: TokenAuthenticator | undefined
  readonly #authority: Authority
  readonly #admission: Admission
  readonly #upgrades: Upgrades
  readonly #app: RequestListener
  #http: Server | undefined
  #opening: Promise<void> | undefined
  #isOpen = false
  /** Set from the moment in which `close` is called; while it drains, all goes on as before. */
  #closing: Promise<void> | undefined
  #hasDrained = false

  constructor(config: Config, parts: ServerParts, yjs: Yjs) {
    const { clock = systemClock, log = createLog(config.logLevel) } = parts
    this.#config = config
    this.#clock = clock
    this.#log = log
    this.#storage = engineOf(config, { clock, log, serves: true })
    this.#workers = new WorkerPool({ log })
    const workers = this.#workers
    const metrics = new Metrics(() => this.#present())
    const { meters } = metrics
    const onDisconnect = (document: string, user: string | undefined) => this.#authority.disconnect(document, user)
    const hooks = new HookCalls(parts.hooks ?? {}, { config, clock, log })
    this.#hooks = hooks
    const storage = this.#storage
    this.#webhooks = new WebhookList({ clock, log, storage: storage.webhooks })
    const webhooks = this.#webhooks
    const core = { config, clock, log, storage, workers, hooks, yjs, meters, onDisconnect, told: webhooks }
    this.#documents = new Documents(core)
    this.#tokens = checksTokens(config) ? new TokenAuthenticator(config, clock) : undefined
    const authenticate = parts.authenticate ?? this.#tokens?.authenticate ?? admitEverybody
    const identify = this.#tokens?.identify
    this.#authority = new Authority({ config, clock, log, authenticate, identify, storage: storage.revocations })
    const authority = this.#authority
    const checkHost = checkHostFor(config, authenticate !== admitEverybody)
    this.#admission = new Admission({ config, authority, checkHost })
    const admission = this.#admission
    const documents = this.#documents
    this.#contents = new Contents({ config, clock, log, documents, workers })
    this.#guests = new Guests({ clock, documents, maxGuests: config.maxConnectionsPerDocument })
    const contents = this.#contents
    const guests = this.#guests
    const sender = new Sender({ config, clock })
    const catalog = storage
    this.#deliveries = new Deliveries({
      config,
      clock,
      log,
      meters,
      storage: storage.cursors,
      catalog,
      documents,
      contents,
      sender,
    })
    const deliveries = this.#deliveries
    this.#calls = new Calls({ config, clock, meters, documents, workers, admission })
    const calls = this.#calls
    const { callers } = calls
    this.#past = new Past({ clock, log, documents })
    const past = this.#past
    this.history = serverHistory(past, () => this.open())
    this.#connections = new Connections(config.stallTimeoutMs, log)
    const connections = this.#connections
    const streams = new EventStreams({
      config,
      clock,
      log,
      documents,
      contents,
      catalog,
      admission,
      callers,
      connections,
    })
    const refusals = new Refusals(clock, log, meters)
    this.#upgrades = new Upgrades({ config, clock, log, documents, workers, hooks, admission, refusals, meters })
    this.#app = createApp({
      basePath: config.basePath,
      publicDirectory: PUBLIC_DIRECTORY,
      checkHost,
      stallTimeoutMs: config.stallTimeoutMs,
      health: () => this.#health(),
      readiness: () => this.#readiness(),
      log,
      refusals,
      routes: [createMetricsRoutes(metrics, authority)],
      routesWithBody: [
        createDocumentsApi({
          config,
          clock,
          authority,
          admission,
          catalog,
          documents,
          contents,
          streams,
          guests,
          webhooks: { webhooks, deliveries, sender, cursors: storage.cursors },
          calls,
          metrics,
          past,
        }),
        ...(this.#tokens ? [createRevocationRoutes({ config, log, authority })] : []),
      ],
    })
  }

  /**
   * Where the server listens, such as `http://127.0.0.1:1234/`.
   * @throws CoeditError SERVER_CLOSED before `listen` has resolved
   */
  get url(): string {
    const address = this.#http?.address()
    if (!isBound(address)) throw new CoeditError('SERVER_CLOSED', 'the server does not listen: await listen() first')
    const host = address.family === 'IPv6' ? `[${address.address}]` : address.address
    return `http://${host}:${address.port}${this.#config.basePath}/`
  }

  /**
   * Opens the storage; `listen` does so itself. Further calls give the same promise.
   * Rejects with STORAGE_LOCKED, STORAGE_UNWRITABLE, STORAGE_VERSION or STORAGE_DAMAGED (on PostgreSQL with
   * STORAGE_UNREACHABLE, STORAGE_UNSUITABLE, STORAGE_VERSION, STORAGE_OUTDATED or STORAGE_DENIED), or OPTION_INVALID for a
   * public key or webhooks.
   */
  open(): Promise<void> {
    this.#opening ??= keepAlive(this.#open())
    return this.#opening
  }

  async #open(): Promise<void> {
    await this.#tokens?.open()
    const configured = await readConfigured(this.#config.webhooks, this.#clock.now())
    await this.#storage.open()
    try {
      await this.#authority.open()
      await this.#webhooks.open(configured, () => this.#deliveries.set(this.#webhooks.all))
    } catch (error) {
      await this.#storage.close()
      throw error
    }
    this.#isOpen = true
    this.#documents.start()
    this.#deliveries.start()
    this.#upgrades.start()
  }

  /** Opens the storage and listens. Rejects as `open` does, and with PORT_IN_USE or CANNOT_LISTEN. */
  async listen(): Promise<void> {
    await this.open()
    const http = httpServer(this.#config, this.#connections, (request, response) => {
      void this.handleRequest(request, response)
    })
    http.on('upgrade', (request, socket, head) => {
      if (!this.handleUpgrade(request, socket, head)) this.#refuseForeign(request, socket)
    })
    try {
      await listening(http, this.#config)
    } catch (error) {
      this.#closing ??= keepAlive(this.#close())
      await this.#closing
      throw error
    }
    this.#http = http
    const { data, database } = this.#config
    this.#log.debug({ url: this.url, ...(database === '' && { data }) }, 'listening')
  }

  /**
   * Answers an HTTP request: the API with its event streams, `/health`, `/ready`, `/metrics`, the pages, 404 for all else. Paths are below
   * the option `basePath`, also where a framework has taken that away (`app.use(basePath, …)` of Express).
   */
  handleRequest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    restorePath(request, this.#config.basePath)
    return this.#app(request, response)
  }

  /**
   * Takes over the socket of an `upgrade` event of any `node:http` server, where the path is the option `basePath`, below
   * it, so that what follows names the document, or one of `hocuspocusPaths`. Tells whether it did; all other sockets are
   * left alone, for others who listen, or for the caller to end. Opens the storage if that has not been done.
   */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean {
    if (!this.#upgrades.isServed(request)) return false
    // Node has taken its own listener off; an error that nobody listens for would end the process.
    socket.on('error', this.#socketBroke)
    this.#upgrade(request, socket, head)
    return true
  }

  #refuseForeign(request: IncomingMessage, socket: Duplex): void {
    socket.on('error', this.#socketBroke)
    this.#upgrades.refuse(request, socket, new CoeditError('NOT_FOUND', 'nothing is served at this address'))
  }

  readonly #socketBroke = (error: Error): void => this.#log.debug({ err: error }, 'a socket broke')

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (this.#hasDrained) {
      this.#log.debug({}, 'refused an upgrade: the server closes')
      const answer = 'HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n'
      hangUp(socket, answer, this.#clock)
      return
    }
    if (this.#isOpen) {
      this.#upgrades.handle(request, socket, head)
      return
    }
    this.open().then(
      () => this.#upgrade(request, socket, head),
      (error: unknown) => {
        this.#log.error({ err: error }, 'an upgrade was refused: the storage could not be opened')
        socket.destroy()
      },
    )
  }

  /**
   * Takes access back: connections and event streams end at once, what they sent before is still stored, and tokens that
   * were issued before now are refused (4401; for a document 4403). A user or a document may be allowed anew by tokens
   * issued later; a token stays revoked for good. Once the server is open this is in force when the call returns; it is
   * durable, and holds after a restart, when the promise resolves. While the disk takes nothing, that is not yet.
   *
   * Rejects with OPTION_INVALID unless exactly one thing is named, by 1 to 16,384 characters, with STORAGE_CLOSED where
   * the server closes before it is durable, or as `open` does.
   */
  async revoke(target: Revocation): Promise<void> {
    if (!this.#isOpen) await this.open()
    await keepAlive(this.#authority.revoke(target))
  }

  /**
   * Edits a document, after the edits of it that were asked for before: `change` gets a Y.Doc with all that is durable
   * and must be done when it returns. Resolves with what it returns once the edit is durable; when it throws, nothing has
   * changed. A document is made by its first edit. The Y.Doc is built for the call, which takes as long as Yjs takes.
   *
   * Rejects with what `change` throws, or with DOCUMENT_NAME, EDIT_ASYNC, UPDATE_TOO_DEEP, YJS_FOREIGN,
   * DOCUMENT_UNREADABLE, HOOK_FAILED (of `load`), STORAGE_CLOSED or SERVER_CLOSED, or as `open` does.
   */
  async edit<T>(name: string, change: (doc: Doc) => T): Promise<T> {
    await this.open()
    return keepAlive(this.#documents.inProcess.edit(name, change))
  }

  /**
   * What of a document is durable, as a Y.Doc of the caller's own.
   * Rejects with DOCUMENT_MISSING where nothing was ever written, and as `edit` does.
   */
  async read(name: string): Promise<Doc> {
    await this.open()
    return keepAlive(this.#documents.inProcess.read(name))
  }

  /**
   * The durable content as one Yjs update (v1), made by copying and not by Yjs: linear in its size whatever the document holds.
   * Rejects as `read` does.
   */
  async readUpdate(name: string): Promise<Uint8Array> {
    await this.open()
    return keepAlive(this.#documents.inProcess.readUpdate(name))
  }

  /**
   * Makes a document, also one that was deleted, of a whole Yjs update (v1) or of what writes it into an empty document;
   * default: without content. Resolves once it is durable. Who still has a deleted one is closed with 4404 when it comes.
   * Rejects with DOCUMENT_EXISTS where there is one, DOCUMENT_NAME, UPDATE_MALFORMED, EDIT_ASYNC, YJS_FOREIGN,
   * STORAGE_CLOSED or SERVER_CLOSED, with what the function throws, or as `open` does.
   */
  async create(name: string, content?: Seed): Promise<void> {
    await this.open()
    await keepAlive(this.#documents.inProcess.create(name, content))
  }

  /**
   * Deletes a document: all that is stored of it but its name, and the ids of the clients that wrote it. Connections end
   * with 4404, on all servers. Nothing brings it back but `create`. Resolves once it is durable.
   * Rejects with DOCUMENT_MISSING where there is none, GONE where it was deleted before, DOCUMENT_NAME, STORAGE_CLOSED, or as
   * `open` does.
   */
  async delete(name: string): Promise<void> {
    await this.open()
    await keepAlive(this.#documents.inProcess.delete(name))
  }

  /**
   * Ends the connections and event streams of a document, on all servers; of `user` alone, where that is given. Clients of
   * y-websocket come back at once: take their access away before, where they are not to. Other servers are told once, by a message that
   * may be lost while their connection is. Rejects as `open` does.
   */
  async disconnect(name: string, { user }: { readonly user?: string } = {}): Promise<void> {
    await this.open()
    this.#authority.disconnect(name, user)
    this.#documents.disconnectElsewhere(name, user)
  }

  /** What is in memory now, and what damage was found and how the calls of hooks have ended since the start. */
  get stats(): ServerStats {
    return { damage: this.#storage.damage, documents: this.#documents.size, hooks: this.#hooks.counts }
  }

  #present(): Present {
    return {
      ...this.#node,
      ...this.stats,
      connections: this.#upgrades.size,
      visitors: this.#admission.size,
      pendingBytes: this.#documents.pendingBytes,
      storage: this.#storage.status,
    }
  }

  /**
   * Stops: `/ready` answers 503, which load balancers have the time of the option `drainMs` to notice. Then clients get
   * 1012, what was received is committed, the storage is closed. Further calls give the same promise.
   */
  close(): Promise<void> {
    this.#closing ??= keepAlive(this.#drain())
    return this.#closing
  }

  async #drain(): Promise<void> {
    const { drainMs } = this.#config
    if (this.#isOpen && drainMs > 0) {
      this.#log.info({ drainMs }, 'is not ready any more: load balancers have time to notice')
      await new Promise<void>((resolve) => this.#clock.after(drainMs, resolve))
    }
    await this.#close()
  }

  async #close(): Promise<void> {
    this.#hasDrained = true
    const httpClosed = this.#http && closed(this.#http)
    await this.#opening?.catch(() => undefined)
    await this.#upgrades.close()
    this.#webhooks.close()
    await this.#deliveries.close()
    await this.#contents.close()
    await this.#past.close()
    this.#guests.close()
    this.#calls.close()
    this.#hooks.close()
    // A disk that stays full does not hold up the end: what it holds up was never acknowledged.
    const tellLost = () =>
      this.#log.error({ status: this.#storage.status }, 'edits could not be stored before the server closed')
    await withDeadline(this.#clock, COMMIT_DEADLINE_MS, () => this.#documents.close(), tellLost)
    await this.#hooks.idle()
    this.#http?.closeAllConnections()
    this.#connections.destroyTaken()
    await httpClosed
    await this.#workers.close()
    this.#authority.close()
    if (this.#isOpen) await this.#storage.close()
    this.#log.debug({}, 'closed')
  }

  #health(): Health {
    const { status, damage } = this.#storage
    const found = { ...(Object.values(damage).some((count) => count > 0) && { damage }), ...this.#node }
    if (status.state === 'ok') return { status: 'ok', ...found }
    return { status: 'degraded', reason: `storage: ${status.error}`, ...found }
  }

  #readiness(): Readiness {
    const reason = this.#reasonToStayAway()
    return { ...(reason === undefined ? { status: 'ready' } : { status: 'unready', reason }), ...this.#node }
  }

  #reasonToStayAway(): string | undefined {
    if (this.#closing) return 'the server is being stopped'
    if (!this.#isOpen) return 'the server is starting'
    const { status } = this.#storage
    return status.state === 'ok' ? undefined : `storage: ${status.error}`
  }

  get #node(): { readonly node?: string } {
    const { nodeName } = this.#config
    return nodeName === '' ? {} : { node: nodeName }
  }
}

function isBound(address: AddressInfo | string | null | undefined): address is AddressInfo {
  return typeof address === 'object' && address !== null
}
