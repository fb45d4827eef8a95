import { type Certificate, type Nginx, startNginx } from './nginx.ts'
import { filledIn, paper } from './papers.ts'
import { freePorts } from './ports.ts'
import { type Exit, type ServerProcess, startServer } from './process.ts'
import { type Release, temporaryDirectory } from './temporary.ts'

/** The servers in the configurations of server/deploy. */
const PLACEHOLDERS = ['127.0.0.1:4001', '127.0.0.1:4002', '127.0.0.1:4003'] as const

/** One of several servers, at a port that stays the same. */
export interface ClusterNode {
  readonly name: string
  /** With a slash at the end. */
  readonly url: string
  /** What serves, or did until it was ended. */
  readonly process: ServerProcess
  /** Ends it by the signal (default SIGKILL). Nothing answers until `start`. */
  kill(signal?: NodeJS.Signals): Promise<Exit>
  /** Starts another server at the same port, on what the last one left, with the same flags. */
  start(): Promise<void>
}

export interface ClusterOptions {
  /** Where the clean-up goes: the servers are killed. */
  readonly release: Release
  /** Of all servers, `--database` for instance. Without it each has a directory of its own. */
  readonly flags?: readonly string[]
}

/** Starts as many servers as the configurations in server/deploy have, called `node-1` and so on. */
export async function startNodes(options: ClusterOptions): Promise<readonly ClusterNode[]> {
  const ports = await freePorts(PLACEHOLDERS.length)
  return Promise.all(ports.map((port, index) => startNode(options, port, `node-${index + 1}`)))
}

async function startNode({ release, flags = [] }: ClusterOptions, port: number, name: string): Promise<ClusterNode> {
  const data = await temporaryDirectory(release)
  const start = () => startServer({ release, data, flags: [...flags, '--port', `${port}`, '--node-name', name] })
  let server = await start()
  return {
    name,
    get url() {
      return server.url
    },
    get process() {
      return server
    },
    kill: (signal) => server.kill(signal),
    start: async () => {
      server = await start()
    },
  }
}

/** A configuration of server/deploy with these servers in the place of those that it names. */
export function leadingTo(config: string, nodes: readonly Pick<ClusterNode, 'url'>[]): string {
  const hosts = PLACEHOLDERS.map((placeholder, index) => [placeholder, new URL(nodes[index].url).host])
  return filledIn(config, Object.fromEntries(hosts))
}

export interface ClusterNginxOptions {
  readonly release: Release
  readonly nodes: readonly ClusterNode[]
  /** A configuration of nginx in server/deploy. */
  readonly file: 'nginx-cluster.conf' | 'nginx-hash.conf'
  /** Without one it takes no TLS. */
  readonly certificate?: Certificate
}

/** The real nginx on a configuration of server/deploy, in front of these servers. */
export interface ClusterNginx {
  readonly nginx: Nginx
  /** Where the world finds the servers, with a slash at the end. */
  readonly url: string
}

/** Starts nginx with nothing changed in the configuration but addresses, paths and, where there is no certificate, TLS. */
export async function startClusterNginx(options: ClusterNginxOptions): Promise<ClusterNginx> {
  const { release, nodes, file, certificate } = options
  const config = leadingTo(await paper(`server/deploy/${file}`), nodes)
  const directory = await temporaryDirectory(release)
  const nginx = await startNginx({
    release,
    configure: ({ https: port }) => ({
      main: 'events { }',
      http: filledIn(config, {
        'listen [::]:443 ssl http2;': '',
        '/var/log/nginx/coedit.log': `${directory}/access.log`,
        ...(certificate
          ? {
              'listen 443 ': `listen 127.0.0.1:${port} `,
              '/etc/letsencrypt/live/docs.example.com/fullchain.pem': certificate.path,
              '/etc/letsencrypt/live/docs.example.com/privkey.pem': certificate.keyPath,
            }
          : {
              'listen 443 ssl http2;': `listen 127.0.0.1:${port};`,
              'ssl_certificate     /etc/letsencrypt/live/docs.example.com/fullchain.pem;': '',
              'ssl_certificate_key /etc/letsencrypt/live/docs.example.com/privkey.pem;': '',
              'ssl_protocols       TLSv1.2 TLSv1.3;': '',
            }),
      }),
    }),
  })
  return { nginx, url: `${certificate ? 'https' : 'http'}://127.0.0.1:${nginx.ports.https}/` }
}
