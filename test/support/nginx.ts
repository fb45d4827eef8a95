import { type ChildProcessWithoutNullStreams, execFile, spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { canInstall, findProgram, install } from './programs.ts'
import { Random } from './random.ts'
import { type Release, temporaryDirectory } from './temporary.ts'

/** Outside of what systems hand out by themselves: nginx cannot ask for any free port. */
const FIRST_PORT = 10_000
const PORTS = 20_000
const ATTEMPTS = 5
/** Not the same again: nginx tries for seconds to get a port that one from before has. */
const PICK = new Random(process.pid)

const WORKER_STARTED = /start worker process \d+/g

/** Installs nginx and openssl where that needs nobody's consent. Elsewhere `startNginx` says what is missing. */
export function provideNginx(): void {
  const missing = ['nginx', 'openssl'].filter((name) => findProgram(name) === undefined)
  if (missing.length > 0 && canInstall()) install(...missing)
}

/** A certificate for localhost and its key, as paths of PEM files. */
export interface Certificate {
  readonly path: string
  readonly keyPath: string
  /** What a client trusts who is to trust this one. */
  readonly pem: string
}

/** Makes a certificate that nobody has signed but itself. */
export async function makeCertificate(release: Release): Promise<Certificate> {
  const directory = await temporaryDirectory(release)
  const [path, keyPath] = [join(directory, 'certificate.pem'), join(directory, 'key.pem')]
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', keyPath]
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-days', '1']
  await promisify(execFile)(needed('openssl'), ['req', '-x509', ...key, ...subject, '-out', path])
  return { path, keyPath, pem: await readFile(path, 'utf8') }
}

/** What a test decides of a configuration. */
export interface NginxConfig {
  /** The directives outside of `http`. */
  readonly main: string
  /** Those inside of it. */
  readonly http: string
}

export interface NginxOptions {
  /** Where the clean-up goes: nginx is ended. */
  readonly release: Release
  /** Makes the configuration for two ports that are free, as far as one can know. */
  readonly configure: (ports: Ports) => NginxConfig
}

export interface Ports {
  readonly http: number
  readonly https: number
}

/**
 * Starts a real nginx and waits until it takes connections.
 *
 * @throws Error with one line that says what to install
 */
export async function startNginx({ release, configure }: NginxOptions): Promise<Nginx> {
  for (let attempt = 1; ; attempt++) {
    const http = FIRST_PORT + PICK.below(PORTS)
    const ports = { http, https: http + 1 }
    const nginx = await launch(release, ports, configure(ports))
    if (await nginx.isUp()) return nginx
    if (attempt === ATTEMPTS || !nginx.output.includes('Address already in use')) {
      throw new Error(`nginx ended before it was ready:\n${nginx.output}`)
    }
  }
}

async function launch(release: Release, ports: Ports, config: NginxConfig): Promise<Nginx> {
  const directory = await temporaryDirectory(release)
  const path = join(directory, 'nginx.conf')
  await writeFile(path, completed(config, directory))
  const nginx = new Nginx(ports, spawn(needed('nginx'), ['-e', 'stderr', '-p', directory, '-c', path]))
  release(() => nginx.stop())
  return nginx
}

/** What the packages of a distribution add around the configuration, here with a directory of its own for all files. */
function completed({ main, http }: NginxConfig, directory: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${name};`)
  // As root it would work as somebody who may not write there.
  const user = process.getuid?.() === 0 ? 'user root;' : ''
  return `${user} daemon off; pid ${directory}/nginx.pid; error_log stderr notice;\n${main}\nhttp {\n${temporary.join('\n')}\n${http}\n}`
}

export class Nginx {
  readonly ports: Ports
  /** What it has said on stderr. */
  output = ''
  readonly #child: ChildProcessWithoutNullStreams
  readonly #exited: Promise<unknown>
  readonly #said = new EventEmitter()

  constructor(ports: Ports, child: ChildProcessWithoutNullStreams) {
    this.ports = ports
    this.#child = child
    this.#exited = once(child, 'exit')
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.output += text
      this.#said.emit('more')
    })
  }

  /** Resolves with whether it runs, as soon as one of its worker processes does or it has ended. */
  isUp(): Promise<boolean> {
    return Promise.race([this.#untilWorkers(1).then(() => true), this.#exited.then(() => false)])
  }

  /** Has it read its configuration anew. Resolves when new worker processes run; the old ones may live on for a while. */
  async reload(): Promise<void> {
    const started = this.#workers
    this.#child.kill('SIGHUP')
    await this.#untilWorkers(started + 1)
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGTERM')
    await this.#exited
  }

  get #workers(): number {
    return [...this.output.matchAll(WORKER_STARTED)].length
  }

  async #untilWorkers(count: number): Promise<void> {
    while (this.#workers < count) await once(this.#said, 'more')
  }
}

function needed(program: string): string {
  const path = findProgram(program)
  if (path === undefined) throw new Error(`no ${program} found: install it with the package manager of your system`)
  return path
}
