import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, realpathSync } from 'node:fs'
import { chmod, chown, copyFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { Client } from 'pg'
import { findEmbeddedPostgres } from './embedded-postgres.ts'
import type { Certificate } from './nginx.ts'
import { signalTree } from './process-tree.ts'
import { canInstall, findProgram, install, isExecutable } from './programs.ts'
import { type Release, temporaryDirectory } from './temporary.ts'

/** Where Debian keeps the programs of each version, which are not on the PATH. */
const DEBIAN_DIRECTORY = '/usr/lib/postgresql'
const ATTEMPTS = 5
const PROMOTION_SECONDS = 30
const LOOK_EVERY_MS = 10
const READY = /database system is ready to accept (read-only )?connections/
/** PostgreSQL does not run as root: then it runs as its own user, which its package makes. */
const USER = 'postgres'

/** Why tests are skipped that need it. */
export const NO_POSTGRES = 'no PostgreSQL found: install it with the package manager of your system'

/** Installs PostgreSQL where that needs nobody's consent. Elsewhere the tests that need it are skipped, and say so. */
export function providePostgres(): void {
  if (findPostgres() === undefined && canInstall()) install('postgresql')
}

/** The directory of its programs, of the newest version that is installed; those from npm where the system has none. */
export function findPostgres(): string | undefined {
  const onPath = findProgram('initdb')
  if (onPath !== undefined) return dirname(realpathSync(onPath))
  const newest = versionsIn(DEBIAN_DIRECTORY).sort((a, b) => b - a)[0]
  return newest === undefined ? findEmbeddedPostgres() : join(DEBIAN_DIRECTORY, `${newest}`, 'bin')
}

function versionsIn(directory: string): number[] {
  try {
    return readdirSync(directory).map(Number).filter(Number.isInteger)
  } catch {
    return []
  }
}

/** A PostgreSQL of its own, on 127.0.0.1 and a unix socket, that syncs what it commits. */
export interface PostgresServer {
  /** The URL of a database of this name, and of this role. Default: its owner, who may do everything. */
  url(database: string, role?: string): string
  /** The same by the unix socket. */
  socketUrl(database: string): string
  /** Makes an empty database and resolves with its URL. */
  newDatabase(): Promise<string>
  /** A database whose schema may be there, but in which nothing is stored; the release gives it back. */
  borrowDatabase(release: Release): Promise<string>
  /** Executes statements as the owner. */
  execute(url: string, text: string): Promise<readonly { readonly [column: string]: unknown }[]>
  readonly pid: number
  /** Its host and port, as they stand in a URL. */
  readonly host: string
  /** Whether it has not ended. */
  readonly isRunning: boolean
  /** Ends it at once, as a crash does. */
  kill(): Promise<void>
  /** Kills each of its processes before any can tell another (kill -9). */
  crash(): Promise<void>
  /** Stops each of its processes where it is, until `thaw`. */
  freeze(): void
  thaw(): void
  /** Starts it again on what it left, at the same port. */
  restart(): Promise<void>
}

/** A copy that follows a PostgreSQL. */
export interface PostgresStandby extends PostgresServer {
  /** Follows no more: what is committed from now on it will not have. */
  cutOff(): Promise<void>
  /** Makes it the primary. */
  promote(): Promise<void>
}

export interface PostgresOptions {
  /** With it TLS is offered. */
  readonly certificate?: Certificate
  /** An empty directory, for which it becomes the owner. Default: one of its own. */
  readonly directory?: string
  /** What is set otherwise than by default, as `name=value`. */
  readonly settings?: readonly string[]
}

/**
 * Starts a PostgreSQL and waits until it takes connections.
 *
 * @throws Error with what it said
 */
export async function startPostgres(release: Release, options: PostgresOptions = {}): Promise<PostgresServer> {
  const { certificate, directory = await temporaryDirectory(release), settings = [] } = options
  const owner = ownerOf()
  if (owner) await chown(directory, owner.uid, owner.gid)
  const create = ['-D', join(directory, 'data'), '-U', USER, '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync']
  await promisify(execFile)(programOf('initdb'), create, { ...owner, cwd: directory })
  const flags = settings.flatMap((setting) => ['-c', setting])
  if (certificate) flags.push(...(await tlsFlags(certificate, directory, owner)))
  return launch(release, directory, flags)
}

/** Whether there is what `startStandby` needs beside PostgreSQL itself. */
export function canCopy(): boolean {
  return isExecutable(programOf('pg_basebackup'))
}

/** Copies a running PostgreSQL and starts the copy, which follows it, without its waiting for that. */
export async function startStandby(release: Release, primary: PostgresServer): Promise<PostgresStandby> {
  const owner = ownerOf()
  const directory = await temporaryDirectory(release)
  if (owner) await chown(directory, owner.uid, owner.gid)
  const copy = ['-D', join(directory, 'data'), '-d', primary.url('postgres'), '-R', '-c', 'fast', '--no-sync']
  await promisify(execFile)(programOf('pg_basebackup'), copy, { ...owner, cwd: directory })
  return launch(release, directory, [])
}

async function launch(release: Release, directory: string, more: readonly string[]): Promise<Server> {
  const flags = ['-D', join(directory, 'data'), '-k', directory, '-h', '127.0.0.1', ...more]
  const start = (port: number) =>
    spawn(programOf('postgres'), [...flags, '-p', `${port}`], { ...ownerOf(), cwd: directory })
  for (let attempt = 1; ; attempt++) {
    const port = await freePort()
    const server = new Server(directory, port, () => start(port))
    const failure = await server.start()
    if (failure === undefined) {
      release(() => server.kill())
      return server
    }
    if (attempt === ATTEMPTS || !failure.includes('Address already in use')) throw new Error(failure)
  }
}

function programOf(name: string): string {
  const programs = findPostgres()
  if (programs === undefined) throw new Error(NO_POSTGRES)
  return join(programs, name)
}

/** As whom it runs, where that is not who runs this. */
function ownerOf(): Owner | undefined {
  return process.getuid?.() === 0 ? idsOf(USER) : undefined
}

/** PostgreSQL takes no key that others may read. */
async function tlsFlags(certificate: Certificate, directory: string, owner: Owner | undefined): Promise<string[]> {
  const [path, keyPath] = [join(directory, 'certificate.pem'), join(directory, 'key.pem')]
  await copyFile(certificate.path, path)
  await copyFile(certificate.keyPath, keyPath)
  await chmod(keyPath, 0o600)
  if (owner) for (const file of [path, keyPath]) await chown(file, owner.uid, owner.gid)
  return ['-c', 'ssl=on', '-c', `ssl_cert_file=${path}`, '-c', `ssl_key_file=${keyPath}`]
}

interface Owner {
  readonly uid: number
  readonly gid: number
}

class Server implements PostgresStandby {
  readonly #directory: string
  readonly #port: number
  readonly #spawn: () => ChildProcess
  readonly #unused: string[] = []
  #child: ChildProcess | undefined
  #databases = 0

  constructor(directory: string, port: number, spawned: () => ChildProcess) {
    this.#directory = directory
    this.#port = port
    this.#spawn = spawned
  }

  get pid(): number {
    const pid = this.#child?.pid
    if (pid === undefined) throw new Error('PostgreSQL does not run')
    return pid
  }

  get host(): string {
    return `127.0.0.1:${this.#port}`
  }

  get isRunning(): boolean {
    return this.#child?.exitCode === null && this.#child.signalCode === null
  }

  url(database: string, role = USER): string {
    return `postgres://${role}@${this.host}/${database}`
  }

  socketUrl(database: string): string {
    return `postgres://${USER}@/${database}?host=${encodeURIComponent(this.#directory)}&port=${this.#port}`
  }

  async newDatabase(): Promise<string> {
    const name = `test_${++this.#databases}`
    await this.execute(this.url('postgres'), `CREATE DATABASE ${name}`)
    return this.url(name)
  }

  async borrowDatabase(release: Release): Promise<string> {
    const url = this.#unused.pop() ?? (await this.newDatabase())
    release(async () => {
      const tables = await this.execute(url, `SELECT tablename FROM pg_tables WHERE schemaname = 'coedit'`)
      const names = tables.map(({ tablename }) => tablename).filter((name) => name !== 'version')
      await this.execute(url, names.map((name) => `DELETE FROM coedit.${name};`).join(''))
      this.#unused.push(url)
    })
    return url
  }

  async execute(url: string, text: string) {
    const client = new Client(url)
    // Whatever befalls the connection is told to the statement as well.
    client.on('error', () => undefined)
    await client.connect()
    try {
      const { rows } = await client.query(text)
      return rows
    } finally {
      await client.end()
    }
  }

  /** Resolves when it takes connections, or with what it said when it ended before. */
  start(): Promise<string | undefined> {
    const child = this.#spawn()
    this.#child = child
    let said = ''
    return new Promise((resolve) => {
      child.stderr?.setEncoding('utf8').on('data', (text: string) => {
        said += text
        if (READY.test(said)) resolve(undefined)
      })
      child.once('exit', () => resolve(`PostgreSQL ended before it was ready:\n${said}`))
    })
  }

  async kill(): Promise<void> {
    if (!this.#child || !this.isRunning) return
    const exited = once(this.#child, 'exit')
    this.thaw()
    this.#child.kill('SIGQUIT')
    await exited
  }

  async crash(): Promise<void> {
    if (!this.#child) return
    const exited = once(this.#child, 'exit')
    signalTree(this.pid, 'SIGKILL')
    await exited
  }

  freeze(): void {
    signalTree(this.pid, 'SIGSTOP')
  }

  thaw(): void {
    signalTree(this.pid, 'SIGCONT')
  }

  async cutOff(): Promise<void> {
    await this.execute(this.url('postgres'), `ALTER SYSTEM SET primary_conninfo = ''`)
    await this.execute(this.url('postgres'), 'SELECT pg_reload_conf()')
    const following = 'SELECT FROM pg_stat_wal_receiver'
    while ((await this.execute(this.url('postgres'), following)).length > 0) await pause(LOOK_EVERY_MS)
  }

  async promote(): Promise<void> {
    const text = `SELECT pg_promote(wait_seconds => ${PROMOTION_SECONDS}) AS promoted`
    const [row] = await this.execute(this.url('postgres'), text)
    if (row?.promoted !== true) throw new Error(`the standby was not promoted within ${PROMOTION_SECONDS} s`)
  }

  async restart(): Promise<void> {
    const failure = await this.start()
    if (failure !== undefined) throw new Error(failure)
  }
}

/** Where the programs came from npm, nobody has made the user. */
function idsOf(user: string): Owner {
  const lines = readFileSync('/etc/passwd', 'utf8').split('\n')
  const lineOf = (name: string) => lines.find((entry) => entry.startsWith(`${name}:`))
  const line = lineOf(user) ?? lineOf('nobody')
  const [, , uid, gid] = line?.split(':') ?? []
  if (uid === undefined || gid === undefined) throw new Error(`there is no user ${user}, as whom PostgreSQL could run`)
  return { uid: Number(uid), gid: Number(gid) }
}

/** A port that nobody listens on, as far as one can know. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const closed = once(server, 'close')
  server.close()
  await closed
  if (address === null || typeof address === 'string') throw new Error('no port is free')
  return address.port
}
