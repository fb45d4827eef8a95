import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { closure, findCircle, type Imports, importGraph } from '../support/imports.ts'
import { paper } from '../support/papers.ts'

const server = importGraph(fileURLToPath(new URL('../../server/src', import.meta.url)))
const client = importGraph(fileURLToPath(new URL('../../client/src', import.meta.url)))

/**
 * The rooms of the server, from the way in downwards, and what each may import beside itself. `storage` is what an engine
 * has to do (storage/storage.ts and what it is made of), what its numbers mean (storage/lineage.ts), and the names of
 * cursors (storage/webhook-cursor.ts); `storage/level` is every implementation.
 */
const ROOMS: Readonly<Record<string, readonly string[]>> = {
  cli: ['index', 'commands', 'config', 'common'],
  index: ['server', 'auth', 'hooks', 'config', 'common'],
  server: [
    ...['http', 'webhooks', 'content', 'auth', 'document', 'storage/level', 'storage', 'workers', 'hooks', 'config'],
    ...['common'],
  ],
  commands: ['repair', 'sources', 'webhooks', 'storage/level', 'storage', 'protocol', 'config', 'common'],
  repair: ['storage/level', 'storage', 'common'],
  sources: ['storage/level', 'protocol', 'common'],
  http: ['peers', 'webhooks', 'content', 'document', 'auth', 'protocol', 'storage', 'config', 'common'],
  webhooks: ['content', 'document', 'storage', 'config', 'common'],
  content: ['document', 'protocol', 'workers', 'config', 'common'],
  peers: ['document', 'auth', 'protocol', 'workers', 'hooks', 'config', 'common'],
  document: ['protocol', 'storage', 'workers', 'hooks', 'config', 'common'],
  auth: ['storage', 'config', 'common'],
  'storage/level': ['protocol', 'storage', 'common'],
  workers: ['protocol', 'storage', 'common'],
  hooks: ['config', 'common'],
  protocol: ['common'],
  storage: ['common'],
  config: ['common'],
  common: [],
}

/** The only files or directories that may import a package. */
const PACKAGE_USERS: Readonly<Record<string, readonly string[]>> = {
  ws: ['peers/socket.ts', 'http/upgrade.ts'],
  hono: ['http/'],
  '@hono/node-server': ['http/'],
  '@hono/zod-openapi': ['http/api/'],
  level: ['storage/level/', 'repair/'],
  pg: ['storage/postgres/', 'sources/postgres.ts'],
  'node-sqlite3-wasm': ['sources/sqlite.ts'],
  '@redis/client': ['storage/postgres/redis.ts'],
  jose: ['auth/'],
  // protocol/wire has a reader and a writer of its encoding that are made for untrusted bytes.
  lib0: [],
  pino: ['common/log.ts'],
  piscina: ['workers/'],
  // On the event loop only what code around the server asks for: a Y.Doc costs what clients make it cost.
  yjs: [
    'workers/',
    'content/',
    'commands/',
    'hooks/hooks.ts',
    'document/in-process.ts',
    'common/line-ends.ts',
    'server.ts',
    'index.ts',
  ],
}

/** The rooms of the client, in the same way. */
const CLIENT_ROOMS: Readonly<Record<string, readonly string[]>> = {
  standalone: ['index', 'element'],
  react: ['connection', 'binding', 'peers'],
  hocuspocus: ['connection', 'common'],
  'y-websocket': ['connection', 'common'],
  index: ['connection', 'binding', 'peers', 'common'],
  element: ['connection', 'binding', 'peers', 'common'],
  peers: ['binding', 'common'],
  binding: ['common'],
  connection: ['common'],
  common: [],
}

const STORAGE_ITSELF = [
  ...['storage', 'document-store', 'catalog', 'history-store', 'cursor-store', 'webhook-store', 'revocation-store'],
  ...['relay', 'lineage', 'webhook-cursor'],
].map((name) => `storage/${name}.ts`)

function room(file: string): string {
  const [first = ''] = file.split(/[/.]/)
  const isEngine = first === 'storage' && !STORAGE_ITSELF.includes(file)
  return isEngine ? 'storage/level' : first
}

function offences(graph: ReadonlyMap<string, Imports>, allowed: (from: string, to: string) => boolean): string[] {
  return [...graph].flatMap(([file, { files }]) =>
    [...files].filter((imported) => !allowed(file, imported)).map((imported) => `${file} -> ${imported}`),
  )
}

function isAllowedBy(rooms: Readonly<Record<string, readonly string[]>>): (from: string, to: string) => boolean {
  return (from, to) => room(from) === room(to) || rooms[room(from)]?.includes(room(to)) === true
}

describe('server', () => {
  test('imports run one way between the rooms', () => {
    expect(offences(server, isAllowedBy(ROOMS))).toEqual([])
  })

  test('packages are known to the files that are their edge, and to no others', () => {
    const strangers = [...server].flatMap(([file, { packages }]) =>
      [...packages]
        .filter((name) => PACKAGE_USERS[name]?.some((place) => file.startsWith(place)) === false)
        .map((name) => `${file} -> ${name}`),
    )
    expect(strangers).toEqual([])
  })

  test('pg is loaded when a database is opened, and not before: other files import its types alone', async () => {
    const users = [...server].filter(([, { packages }]) => packages.has('pg')).map(([file]) => file)
    expect(users).toContain('storage/postgres/link.ts')
    for (const file of users)
      expect(await paper(`server/src/${file}`)).not.toMatch(/^(import|export) (?!type ).*'pg'$/m)
  })

  test('what reads SQLite is loaded by need: it may not be installed', async () => {
    expect(server.get('sources/sqlite.ts')?.packages).toContain('node-sqlite3-wasm')
    expect(await paper('server/src/sources/sqlite.ts')).not.toMatch(/^import (?!type ).*'node-sqlite3-wasm'$/m)
  })

  test('what saves a damaged database is known to its command alone', () => {
    const users = [...server].filter(([, { files }]) => [...files].some((file) => room(file) === 'repair'))
    expect(users.map(([file]) => file).filter((file) => room(file) !== 'repair')).toEqual(['commands/repair.ts'])
  })
})

test('client: imports run one way between the rooms', () => {
  expect(offences(client, isAllowedBy(CLIENT_ROOMS))).toEqual([])
})

/** The table of rooms in a paper: what it says that each may import. */
async function roomsIn(name: string): Promise<Record<string, readonly string[]>> {
  const rows = (await paper(name)).matchAll(/^\| `([\w/-]+?)(?:\/|\.ts)` \|.*\|([^|]*)\|$/gm)
  const namesIn = (cell: string) => [...cell.matchAll(/`([\w/-]+)`/g)].map(([, name = '']) => name)
  return Object.fromEntries([...rows].map(([, room = '', cell = '']) => [room, namesIn(cell)]))
}

test.each([
  ['client/README.md', client, CLIENT_ROOMS],
  ['server/ARCHITECTURE.md', server, ROOMS],
])('%s names every room, and what it may import', async (name, graph, rooms) => {
  expect(await roomsIn(name)).toEqual(rooms)
  expect(new Set(Object.keys(rooms))).toEqual(new Set([...graph.keys()].map(room)))
})

/** Names of files in a paper that there are no files for; a name without an ending is one of a room. */
test('server/ARCHITECTURE.md names no file that is not there', async () => {
  const named = [...(await paper('server/ARCHITECTURE.md')).matchAll(/`([\w-]+(?:\/[\w-]+)+)(?:\.ts)?`/g)]
  const known = [...server.keys()].map((file) => file.replace(/\.ts$/, ''))
  const missing = named
    .map(([, name = '']) => name)
    .filter((name) => !known.some((file) => `${file}/`.includes(`${name}/`)))
  expect(named.length).toBeGreaterThan(10)
  expect(missing.filter((name) => !name.startsWith('test/'))).toEqual([])
})

test.each([
  ['server', server],
  ['client', client],
])('%s: no circle of imports, and nothing leaves the package but by name', (_, graph) => {
  expect(findCircle(graph)).toBeUndefined()
  expect(offences(graph, (_, to) => graph.has(to))).toEqual([])
})

test('the graph is not blind', () => {
  expect(server.get('cli.ts')?.files).toContain('index.ts')
  expect(server.get('http/app.ts')?.packages).toContain('@hono/node-server')
  expect(closure(server, 'cli.ts')).toContain('common/errors.ts')
  expect([...closure(client, 'index.ts')]).toEqual(
    expect.arrayContaining(['connection/session.ts', 'connection/dialer.ts', 'connection/wire.ts']),
  )
  const circle = new Map([
    ['a', { files: new Set(['b']), packages: new Set<string>() }],
    ['b', { files: new Set(['c']), packages: new Set<string>() }],
    ['c', { files: new Set(['b']), packages: new Set<string>() }],
  ])
  expect(findCircle(circle)).toEqual(['b', 'c', 'b'])
})
