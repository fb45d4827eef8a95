import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Certificate } from './nginx.ts'
import { filledIn, paper } from './papers.ts'
import { canInstall, findProgram, install } from './programs.ts'
import { Random } from './random.ts'
import { type Release, temporaryDirectory } from './temporary.ts'

/** Outside of what systems hand out by themselves, and of the ports for nginx. */
const FIRST_PORT = 10_000
const PORTS = 20_000
const ATTEMPTS = 5
const PICK = new Random(process.pid)

/** A configuration in server/deploy, and how its proxy is run on it. */
export interface Kind {
  readonly program: string
  /** The package of Debian. */
  readonly package: string
  readonly config: string
  /** What it says when it takes connections. */
  readonly ready: string
  readonly arguments: (configPath: string) => readonly string[]
  /** The configuration with what a test needs in the place of the addresses and paths of a real one. */
  readonly adapt: (config: string, surroundings: Surroundings) => string
}

interface Surroundings {
  readonly directory: string
  readonly port: number
  readonly upstream: string
  readonly certificate: Certificate
  /** The certificate and its key in one file. */
  readonly bundle: string
}

/** What the package of Debian has around a site. */
function aroundApache(directory: string, port: number): string {
  const modules = ['mpm_event', 'authz_core', 'socache_shmcb', 'ssl', 'proxy', 'proxy_http']
  return `ServerName localhost
DefaultRuntimeDir ${directory}
PidFile ${directory}/apache.pid
ErrorLog "|/bin/cat"
Listen 127.0.0.1:${port}
${modules.map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`).join('\n')}
`
}

export const KINDS: Readonly<Record<'Apache' | 'HAProxy' | 'Caddy', Kind>> = {
  Apache: {
    program: 'apache2',
    package: 'apache2-bin',
    config: 'server/deploy/apache.conf',
    ready: 'resuming normal operations',
    arguments: (path) => ['-D', 'FOREGROUND', '-f', path],
    adapt: (config, { directory, port, upstream, certificate }) =>
      aroundApache(directory, port) +
      filledIn(config, {
        '*:443': `127.0.0.1:${port}`,
        '/etc/letsencrypt/live/docs.example.com/fullchain.pem': certificate.path,
        '/etc/letsencrypt/live/docs.example.com/privkey.pem': certificate.keyPath,
        '/var/log/apache2/coedit.log': join(directory, 'access.log'),
        '127.0.0.1:4000': upstream,
      }),
  },
  HAProxy: {
    program: 'haproxy',
    package: 'haproxy',
    config: 'server/deploy/haproxy.cfg',
    ready: 'Loading success',
    arguments: (path) => ['-W', '-db', '-f', path],
    // By itself it shares a port that is in use with whoever has it.
    adapt: (config, { port, upstream, bundle }) =>
      filledIn(`global\n    noreuseport\n\n${config}`, {
        ':443': `127.0.0.1:${port}`,
        '/etc/haproxy/docs.example.com.pem': bundle,
        '127.0.0.1:4000': upstream,
      }),
  },
  Caddy: {
    program: 'caddy',
    package: 'caddy',
    config: 'server/deploy/Caddyfile',
    ready: 'serving initial configuration',
    arguments: (path) => ['run', '--adapter', 'caddyfile', '--config', path],
    adapt: (config, { port, upstream, certificate }) =>
      filledIn(config, {
        'docs.example.com {': `{\n\tadmin off\n\tauto_https off\n\tdefault_sni localhost\n}\n:${port} {\n\tbind 127.0.0.1\n\ttls ${certificate.path} ${certificate.keyPath}`,
        '127.0.0.1:4000': upstream,
      }),
  },
}

/** Installs the proxies where that needs nobody's consent. Elsewhere their tests are skipped. */
export function provideReverseProxies(): void {
  const missing = Object.values(KINDS).filter(({ program }) => findProgram(program) === undefined)
  if (missing.length > 0 && canInstall()) install(...missing.map((kind) => kind.package))
}

export interface ReverseProxyOptions {
  /** Where the clean-up goes: the proxy is ended. */
  readonly release: Release
  readonly kind: Kind
  /** Where the server is, such as `127.0.0.1:4000`. */
  readonly upstream: string
  readonly certificate: Certificate
  /** What the test changes of the configuration. */
  readonly change?: (config: string) => string
}

/**
 * Starts the real proxy on the configuration that is shown to people. Resolves with the address below which the world
 * finds the server, with a slash at its end, as soon as it takes connections.
 */
export async function startReverseProxy(options: ReverseProxyOptions): Promise<string> {
  const { release, kind, upstream, certificate, change = (config: string) => config } = options
  const program = findProgram(kind.program)
  if (program === undefined) throw new Error(`no ${kind.program} found`)
  const config = change(await paper(kind.config))
  for (let attempt = 1; ; attempt++) {
    const port = FIRST_PORT + PICK.below(PORTS)
    const directory = await temporaryDirectory(release)
    const [path, bundle] = [join(directory, 'config'), join(directory, 'bundle.pem')]
    await writeFile(bundle, certificate.pem + (await readFile(certificate.keyPath, 'utf8')))
    await writeFile(path, kind.adapt(config, { directory, port, upstream, certificate, bundle }))
    const env = { PATH: process.env.PATH, HOME: directory }
    const output = await untilReady(release, spawn(program, kind.arguments(path), { env, detached: true }), kind)
    if (output === undefined) return `https://127.0.0.1:${port}/team/`
    if (attempt === ATTEMPTS || !/address already in use/i.test(output)) {
      throw new Error(`${kind.program} ended before it was ready:\n${output}`)
    }
  }
}

/** Resolves with what it has said where it ended instead. */
async function untilReady(
  release: Release,
  child: ChildProcessWithoutNullStreams,
  { ready }: Kind,
): Promise<string | undefined> {
  let output = ''
  const exited = once(child, 'exit')
  release(async () => {
    // Apache waits 10 s for a WebSocket that is open, and its processes outlive it where it is killed alone.
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL')
    await exited
  })
  const isReady = new Promise<undefined>((resolve) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text
        if (output.includes(ready)) resolve(undefined)
      })
    }
  })
  return Promise.race([isReady, exited.then(() => output)])
}
