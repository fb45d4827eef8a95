import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { get } from 'node:https'
import { json, text } from 'node:stream/consumers'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { parse } from 'yaml'
import * as Y from 'yjs'
import { afterTests } from '../support/after-tests.ts'
import { type ClusterNode, leadingTo, startClusterNginx, startNodes } from '../support/cluster.ts'
import { partsOf } from '../support/event-stream.ts'
import { type Certificate, makeCertificate, startNginx } from '../support/nginx.ts'
import { filledIn, paper } from '../support/papers.ts'
import { findPostgres, NO_POSTGRES, type PostgresServer, startPostgres } from '../support/postgres.ts'
import { runCoedit } from '../support/process.ts'
import { findProgram } from '../support/programs.ts'
import { KINDS, type Kind, startReverseProxy } from '../support/reverse-proxies.ts'
import { allRead, type StockClient, stockClient, syncedClient, textOf } from '../support/stock-clients.ts'

const release = onTestFinished
const releaseAll = afterTests()
const hasPostgres = findPostgres() !== undefined
/** More than a turn of all servers. */
const MANY = 12

let certificate: Certificate
let postgres: PostgresServer

beforeAll(async () => {
  certificate = await makeCertificate(releaseAll)
  if (hasPostgres) postgres = await startPostgres(releaseAll)
})

async function startOnPostgres(...flags: readonly string[]): Promise<readonly ClusterNode[]> {
  return startNodes({ release, flags: ['--database', await postgres.newDatabase(), ...flags] })
}

async function ask(url: string, headers: Readonly<Record<string, string>> = {}): Promise<IncomingMessage> {
  const request = get(url, { ca: certificate.pem, servername: 'localhost', headers, agent: false })
  release(async () => void request.destroy())
  const [response]: IncomingMessage[] = await once(request, 'response')
  return response
}

/** Which servers answer requests that follow each other, and with what status. */
async function answering(url: string, path = 'health'): Promise<Set<string>> {
  const answers = new Set<string>()
  for (let asked = 0; asked < MANY; asked++) {
    const response = await ask(`${url}${path}`)
    const body: unknown = await json(response)
    const node = typeof body === 'object' && body !== null && 'node' in body ? body.node : 'nobody'
    answers.add(`${response.statusCode} ${node}`)
  }
  return answers
}

function client(url: string, document = 'notes'): Promise<StockClient> {
  return syncedClient({ release, url: url.replace('https:', 'wss:'), document, ca: certificate.pem })
}

const [ONE, TWO, THREE] = ['200 node-1', '200 node-2', '200 node-3']

describe('several servers on one PostgreSQL', () => {
  test('nginx-cluster.conf: all get their turn, a stream goes on at another, and one that is killed is passed over', async ({
    skip,
  }) => {
    if (!hasPostgres) return skip(NO_POSTGRES)
    const nodes = await startOnPostgres()
    const { url } = await startClusterNginx({ release, nodes, certificate, file: 'nginx-cluster.conf' })
    expect(await answering(url)).toEqual(new Set([ONE, TWO, THREE]))
    const clients = [await client(url), await client(url), await client(url)]
    textOf(clients[0]).insert(0, 'one ')
    await allRead(clients, 'one ')

    let [id, copy] = ['', new Y.Doc()]
    const readOn = async (text: string) => {
      const stream = await ask(`${url}api/documents/notes/events`, id === '' ? {} : { 'last-event-id': id })
      for await (const part of partsOf(stream.setEncoding('utf8'))) {
        if (part.kind !== 'event') continue
        id = part.id ?? id
        Y.applyUpdate(copy, Buffer.from(part.data, 'base64'))
        if (textOf({ doc: copy }).toString() === text) break
      }
      stream.destroy()
    }
    for (const text of ['one ', 'one two ', 'one two three ']) {
      textOf(clients[1]).insert(textOf(clients[1]).length, text.slice(textOf(clients[1]).length))
      await allRead(clients, text)
      await readOn(text)
    }

    await nodes[0].kill()
    expect(await answering(url)).toEqual(new Set([TWO, THREE]))
    textOf(clients[2]).insert(0, 'zero ')
    await allRead(clients, 'zero one two three ')
    await nodes[0].start()
    expect(await answering(url)).toEqual(new Set([ONE, TWO, THREE]))
  })

  test('nginx-cluster.conf: those that were restarted take everybody at once, also where only WebSockets were asked for', async ({
    skip,
  }) => {
    if (!hasPostgres) return skip(NO_POSTGRES)
    const nodes = await startOnPostgres()
    const { url } = await startClusterNginx({ release, nodes, certificate, file: 'nginx-cluster.conf' })
    for (const node of nodes.slice(0, 2)) {
      await node.kill('SIGTERM')
      await Promise.all(nodes.map(() => client(url)))
      await node.start()
      await Promise.all(nodes.map(() => client(url)))
    }
    await nodes[2].kill('SIGTERM')
    const clients = await Promise.all(Array.from({ length: MANY }, () => client(url)))
    expect(clients.map(({ losses }) => losses)).toEqual(clients.map(() => 0))
  })

  test('haproxy-cluster.cfg: a server that drains gets nobody new, and keeps whom it has', async ({ skip }) => {
    if (!hasPostgres) return skip(NO_POSTGRES)
    if (findProgram('haproxy') === undefined) return skip('no haproxy found')
    const nodes = await startOnPostgres('--drain-ms', '600000')
    const kind: Kind = {
      ...KINDS.HAProxy,
      config: 'server/deploy/haproxy-cluster.cfg',
      adapt: (config, { port, bundle }) =>
        filledIn(`global\n    noreuseport\n\n${leadingTo(config, nodes)}`, {
          ':443': `127.0.0.1:${port}`,
          '/etc/haproxy/docs.example.com.pem': bundle,
        }),
    }
    const url = new URL('/', await startReverseProxy({ release, kind, upstream: '', certificate })).href
    while ((await answering(url)).size < nodes.length);
    const clients = [await client(url), await client(url), await client(url)]

    const ended = nodes[0].kill('SIGTERM')
    await nodes[0].process.logs('is not ready any more')
    while ((await answering(url)).has(ONE));
    expect(await answering(url, 'ready')).toEqual(new Set([TWO, THREE]))
    // One of them is still where it was.
    textOf(clients[0]).insert(0, 'still here')
    await allRead(clients, 'still here')
    expect(clients.map(({ losses }) => losses)).toEqual([0, 0, 0])
    await nodes[0].kill('SIGTERM')
    await ended
    textOf(clients[0]).insert(0, 'and ')
    await allRead(clients, 'and still here')

    await postgres.kill()
    while (!(await statuses(url)).has(503));
    await postgres.restart()
    while (!(await statuses(url)).has(200));
  })

  test('the nginx of compose.yaml does the same', async ({ skip }) => {
    if (!hasPostgres) return skip(NO_POSTGRES)
    const nodes = await startOnPostgres()
    const compose = parse(await paper('server/deploy/compose.yaml'), { merge: true })
    const content: string = compose.configs.nginx.content
    // Compose takes $$ for a dollar, and Debian 12 has an nginx that does not look up names again.
    const site = filledIn(content, {
      $$: '$',
      'resolver 127.0.0.11 valid=1s;': '',
      ' resolve ': ' ',
      'one:1234': new URL(nodes[0].url).host,
      'two:1234': new URL(nodes[1].url).host,
      'three:1234': new URL(nodes[2].url).host,
    })
    const { ports } = await startNginx({
      release,
      configure: ({ http }) => ({
        main: 'events { }',
        http: filledIn(site, { 'listen 80;': `listen 127.0.0.1:${http};` }),
      }),
    })
    const url = `http://127.0.0.1:${ports.http}/`
    const names = new Set<string>()
    while (names.size < nodes.length) names.add((await (await fetch(`${url}health`)).json()).node)
    const clients = [0, 1, 2].map(() => stockClient({ release, url: url.replace('http:', 'ws:'), document: 'notes' }))
    textOf(clients[0]).insert(0, 'through a container')
    await allRead(clients, 'through a container')
  })

  async function statuses(url: string): Promise<Set<number | undefined>> {
    return new Set([(await ask(`${url}ready`)).statusCode])
  }
})

describe('nginx-hash.conf, several servers with a directory each', () => {
  /** The names are sent as they are, and in events' addresses as one segment. */
  const NAMES = [
    'notes',
    'team/plan',
    'my doc',
    'été',
    'a%b',
    'api/documents/x',
    'a/events',
    'a/content',
    ...'abcdefgh',
  ]

  test('leads a document to one of them, however it is asked for, and to nobody else when that one is down', async () => {
    const nodes = await startNodes({ release })
    const { url } = await startClusterNginx({ release, nodes, certificate, file: 'nginx-hash.conf' })
    const holders = new Map<string, ClusterNode>()
    for (const name of NAMES) {
      const writer = await client(url, name)
      textOf(writer).insert(0, name)
      const stream = await ask(`${url}api/documents/${encodeURIComponent(name)}/events`)
      const copy = new Y.Doc()
      for await (const part of partsOf(stream.setEncoding('utf8'))) {
        if (part.kind !== 'event') continue
        Y.applyUpdate(copy, Buffer.from(part.data, 'base64'))
        if (textOf({ doc: copy }).toString() === name) break
      }
      stream.destroy()
      const read = await ask(`${url}api/documents/${encodeURIComponent(name)}/content?root=text&as=text`)
      expect(await text(read)).toBe(name)
      await allRead([await client(`${url}${name.split('/').slice(0, -1).join('/')}`, name.split('/').at(-1))], name)
    }
    await Promise.all(nodes.map((node) => node.kill('SIGTERM')))
    for (const node of nodes) {
      const { stdout } = await runCoedit(release, ['list', '--data', node.process.data])
      for (const line of stdout.split('\n').slice(0, -1)) {
        const [name = ''] = line.split('\t')
        expect(holders.has(name), `${name} is at two servers`).toBe(false)
        holders.set(name, node)
      }
    }
    expect([...holders.keys()].sort()).toEqual(NAMES.toSorted())
    expect(new Set(holders.values()).size).toBeGreaterThan(1)

    await nodes[0].start()
    for (const [name, node] of holders) {
      const { statusCode } = await ask(`${url}api/documents/${encodeURIComponent(name)}/events`)
      expect(statusCode, name).toBe(node === nodes[0] ? 200 : 502)
    }
    for (const path of ['api/documents', 'api/documents?prefix=a', 'api/revocations']) {
      expect((await ask(`${url}${path}`)).statusCode).toBe(404)
    }
  })
})
