import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { chmod, chown, copyFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { Client } from 'pg'
import { findEmbeddedPostgres } from './embedded-postgres.ts'
import type { Certificate } from './nginx.ts'
import { canInstall, findProgram, install } from './programs.ts'
import { type Release, temporaryDirectory } from './temporary.ts'

/** Where Debian keeps the programs of each version, which are not on the PATH. */
const DEBIAN_DIRECTORY = '/usr/lib/postgresql'
const ATTEMPTS = 5
const READY = 'database system is ready to accept connections'
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
  if (onPath !== undefined) return dirname(onPath)
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
  /** Ends it at once, as a crash does. */
  kill(): Promise<void>
  /** Starts it again on what it left, at the same port. */
  restart(): Promise<void>
}

/**
 * Starts a PostgreSQL and waits until it takes connections, by TLS too where it has a certificate.
 *
 * @throws Error with what it said
 */
export async function startPostgres(release: Release, certificate?: Certificate): Promise<PostgresServer> {
  const programs = findPostgres()
  if (programs === undefined) throw new Error(NO_POSTGRES)
  const owner = process.getuid?.() === 0 ? idsOf(USER) : undefined
  const directory = await temporaryDirectory(release)
  if (owner) await chown(directory, owner.uid, owner.gid)
  const data = join(directory, 'data')
  const create = ['-D', data, '-U', USER, '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync']
  await promisify(execFile)(join(programs, 'initdb'), create, { ...owner, cwd: directory })
  const flags = ['-D', data, '-k', directory, '-h', '127.0.0.1']
  if (certificate) flags.push(...(await tlsFlags(certificate, directory, owner)))
  const start = (port: number) =>
    spawn(join(programs, 'postgres'), [...flags, '-p', `${port}`], { ...owner, cwd: directory })
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

class Server implements PostgresServer {
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

  url(database: string, role = USER): string {
    return `postgres://${role}@127.0.0.1:${this.#port}/${database}`
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
        if (said.includes(READY)) resolve(undefined)
      })
      child.once('exit', () => resolve(`PostgreSQL ended before it was ready:\n${said}`))
    })
  }

  async kill(): Promise<void> {
    const child = this.#child
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill('SIGCONT')
    child.kill('SIGQUIT')
    await exited
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
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const closed = once(server, 'close')
  server.close()
  await closed
  if (address === null || typeof address === 'string') throw new Error('no port is free')
  return address.port
}
