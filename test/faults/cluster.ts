import type * as Y from 'yjs'
import { PostgresStorage } from '../../server/src/storage/postgres/postgres-storage.ts'
import { docOf } from '../support/editing.ts'
import { findPostgres, NO_POSTGRES, type PostgresServer, providePostgres, startPostgres } from '../support/postgres.ts'
import { type ServerProcess, startServer } from '../support/process.ts'
import { startProxy, type TcpProxy } from '../support/proxy.ts'
import type { Random } from '../support/random.ts'
import type { Release } from '../support/temporary.ts'
import { Circles, COMPACTING } from './circles.ts'
import { CannotInject } from './fault.ts'

const NODES = 3
/** Of each document: at most as many are at one node as chance has it. */
const CLIENTS = 3
/** Two cores do the work of all nodes, of the database and of the clients. */
const MAX_PAUSE_MS = 100
const DATABASE = 'faults'
/** A node to which nobody of a document is connected may hear of its last edits as late as when it compares heads, every 2 s. */
const HEARING_MS = 5_000

/** How a node is started. */
export interface NodeOptions {
  readonly release: Release
  /** Lead to the hosts of the database. */
  readonly links: readonly TcpProxy[]
  readonly flags?: readonly string[]
  readonly runtime?: readonly string[]
}

/** One of several servers that share a database. It comes back under another address when it was killed. */
export class ClusterNode {
  /** Its way to each host of the database. */
  readonly links: readonly TcpProxy[]
  readonly #start: () => Promise<ServerProcess>
  #server: ServerProcess

  private constructor(links: readonly TcpProxy[], server: ServerProcess, start: () => Promise<ServerProcess>) {
    this.links = links
    this.#server = server
    this.#start = start
  }

  static async start({ release, links, flags = [], runtime }: NodeOptions): Promise<ClusterNode> {
    const hosts = links.map(({ url }) => new URL(url).host).join(',')
    const database = ['--database', `postgres://postgres@${hosts}/${DATABASE}`]
    const start = () =>
      startServer({ release, flags: [...database, ...COMPACTING, ...flags], ...(runtime && { runtime }) })
    return new ClusterNode(links, await start(), start)
  }

  get url(): string {
    return this.#server.url
  }

  get pid(): number {
    return this.#server.pid
  }

  async kill(): Promise<void> {
    await this.#server.kill()
  }

  async restart(): Promise<void> {
    this.#server = await this.#start()
  }
}

export interface ClusterOptions {
  readonly release: Release
  readonly random: Random
  /** Default: one host that looks after itself. */
  readonly hosts?: readonly PostgresServer[]
  /** Starts the first of the nodes. Default: as the others. */
  readonly startFirst?: (options: NodeOptions) => Promise<ClusterNode>
}

/** Several nodes, their database, and people who come to any of the nodes, and to any again when they lose it. */
export class Cluster {
  readonly nodes: readonly ClusterNode[]
  readonly circles: Circles
  readonly random: Random
  /** The hosts of the database, in the order of the links of each node. */
  readonly hosts: PostgresServer[]
  /** The one of the hosts that takes writes. */
  primary: PostgresServer

  private constructor(nodes: readonly ClusterNode[], hosts: PostgresServer[], circles: Circles, random: Random) {
    this.nodes = nodes
    this.hosts = hosts
    this.primary = hosts[0]
    this.circles = circles
    this.random = random
  }

  /** Resolves when people type. */
  static async start(options: ClusterOptions): Promise<Cluster> {
    const { release, random, startFirst = ClusterNode.start } = options
    const hosts = [...(options.hosts ?? [await startDatabase(release)])]
    const nodes: ClusterNode[] = []
    for (let index = 0; index < NODES; index++) {
      const links = await Promise.all(hosts.map(({ host }) => startProxy({ release, target: `http://${host}` })))
      nodes.push(await (index === 0 ? startFirst : ClusterNode.start)({ release, links }))
    }
    // Each client of y-websocket, and each copy that is looked at, waits for the end of this process.
    process.setMaxListeners(0)
    const circles = new Circles({
      release,
      url: () => random.pick(nodes).url,
      random,
      clients: CLIENTS,
      maxPauseMs: MAX_PAUSE_MS,
    })
    await circles.start()
    return new Cluster(nodes, hosts, circles, random)
  }

  /** One of the nodes. */
  anyNode(): ClusterNode {
    return this.random.pick(this.nodes)
  }

  /** Cuts all nodes off from the database. */
  lockOut(): void {
    for (const { links } of this.nodes) for (const link of links) link.refuse()
  }

  /** Lets nodes, or all of them, come to each host of the database. */
  letIn(nodes: readonly ClusterNode[] = this.nodes): void {
    for (const { links } of nodes) {
      for (const [place, { host }] of this.hosts.entries()) links[place].leadTo(`http://${host}`)
    }
  }

  /** What of the promises made until now the database does not hold, in words. */
  look(): Promise<string[]> {
    return this.circles.brokenAt((document) => storedIn(this.primary, document))
  }

  /**
   * Resolves when nobody types any more and all show the same: with where the nodes, or the database without them, have
   * anything else, in words.
   */
  async differences(): Promise<string[]> {
    const { circles } = this
    await circles.converge()
    const found: string[] = []
    for (const { url } of this.nodes) found.push(...(await circles.differencesAt(url, HEARING_MS)))
    await Promise.all(this.nodes.map((node) => node.kill()))
    return [...found, ...(await circles.differencesAt((document) => storedIn(this.primary, document)))]
  }
}

/** Rejects with CannotInject where there is no PostgreSQL. */
export async function startDatabase(release: Release, directory?: string, settings?: readonly string[]) {
  requirePostgres()
  const postgres = await startPostgres(release, { ...(directory && { directory }), ...(settings && { settings }) })
  await postgres.execute(postgres.url('postgres'), `CREATE DATABASE ${DATABASE}`)
  return postgres
}

function requirePostgres(): void {
  providePostgres()
  if (findPostgres() === undefined) throw new CannotInject(NO_POSTGRES)
}

export function execute(postgres: PostgresServer, text: string) {
  return postgres.execute(postgres.url(DATABASE), text)
}

/** What the database has of a document, past all nodes. */
async function storedIn(postgres: PostgresServer, document: string): Promise<Y.Doc> {
  const storage = new PostgresStorage({ url: postgres.url(DATABASE), serves: false })
  await storage.open()
  try {
    const { snapshot, tail } = await storage.load(document)
    return docOf(...(snapshot?.chunks ?? []), ...tail.map(({ update }) => update))
  } finally {
    await storage.close()
  }
}
