import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { closure, findCircle, type Imports, importGraph } from '../support/imports.ts'

const server = importGraph(fileURLToPath(new URL('../../server/src', import.meta.url)))
const client = importGraph(fileURLToPath(new URL('../../client/src', import.meta.url)))

/**
 * The rooms of the server and what each may import beside itself. `engine` is every implementation of
 * storage/storage.ts; `base` is what has no room of its own.
 */
const ROOMS: Readonly<Record<string, readonly string[]>> = {
  cli: ['server', 'commands', 'base'],
  commands: ['engine', 'storage', 'protocol', 'base'],
  index: ['server', 'auth', 'hooks', 'base'],
  server: ['http', 'auth', 'sync', 'engine', 'storage', 'workers', 'protocol', 'hooks', 'base'],
  http: ['sync', 'auth', 'protocol', 'storage', 'hooks', 'base'],
  sync: ['auth', 'protocol', 'storage', 'workers', 'hooks', 'base'],
  workers: ['protocol', 'storage', 'base'],
  engine: ['protocol', 'storage', 'base'],
  storage: ['base'],
  hooks: ['base'],
  auth: ['storage', 'base'],
  protocol: ['base'],
  base: [],
}

/** The only files or directories that may import a package. */
const PACKAGE_USERS: Readonly<Record<string, readonly string[]>> = {
  ws: ['sync/connection.ts', 'http/upgrade.ts'],
  hono: ['http/'],
  '@hono/node-server': ['http/'],
  'classic-level': ['storage/'],
  jose: ['auth/'],
  pino: ['log.ts'],
  piscina: ['workers/'],
  // On the event loop only what code around the server asks for: a Y.Doc costs what clients make it cost.
  yjs: ['workers/', 'commands/', 'hooks/hooks.ts', 'sync/in-process.ts', 'server.ts'],
}

/** What speaks with a server, and what takes part in it. */
const CONNECTION = new Set(['connect.ts', 'session.ts', 'dialer.ts', 'wire.ts', 'tabs.ts'])

function room(file: string): string {
  if (file === 'storage/storage.ts') return 'storage'
  if (file.startsWith('storage/')) return 'engine'
  if (file === 'help.ts') return 'cli'
  const [first = ''] = file.split(/[/.]/)
  return first in ROOMS ? first : 'base'
}

function offences(graph: ReadonlyMap<string, Imports>, allowed: (from: string, to: string) => boolean): string[] {
  return [...graph].flatMap(([file, { files }]) =>
    [...files].filter((imported) => !allowed(file, imported)).map((imported) => `${file} -> ${imported}`),
  )
}

describe('server', () => {
  test('imports run one way between the rooms', () => {
    const allowed = (from: string, to: string) =>
      room(from) === room(to) || ROOMS[room(from)]?.includes(room(to)) === true
    expect(offences(server, allowed)).toEqual([])
  })

  test('a document does not know connections', () => {
    expect([...closure(server, 'sync/document.ts')]).not.toContain('sync/connection.ts')
  })

  test('packages are known to the files that are their edge, and to no others', () => {
    const strangers = [...server].flatMap(([file, { packages }]) =>
      [...packages]
        .filter((name) => PACKAGE_USERS[name]?.some((place) => file.startsWith(place)) === false)
        .map((name) => `${file} -> ${name}`),
    )
    expect(strangers).toEqual([])
  })
})

describe('client', () => {
  test.each(['textarea.ts', 'overlay.ts', 'presence.ts', 'announcer.ts'])('%s does not know of connections', (file) => {
    expect([...closure(client, file)].filter((reached) => CONNECTION.has(reached))).toEqual([])
    expect(closure(client, 'connect.ts')).not.toContain(file)
  })
})

test.each([
  ['server', server],
  ['client', client],
])('%s: no circle of imports, and nothing leaves the package but by name', (_, graph) => {
  expect(findCircle(graph)).toBeUndefined()
  expect(offences(graph, (_, to) => graph.has(to))).toEqual([])
})

test('the graph is not blind', () => {
  expect(server.get('cli.ts')?.files).toContain('server.ts')
  expect(server.get('http/app.ts')?.packages).toContain('@hono/node-server')
  expect(closure(server, 'cli.ts')).toContain('errors.ts')
  expect([...closure(client, 'connect.ts')]).toEqual(expect.arrayContaining(['session.ts', 'dialer.ts', 'wire.ts']))
  const circle = new Map([
    ['a', { files: new Set(['b']), packages: new Set<string>() }],
    ['b', { files: new Set(['c']), packages: new Set<string>() }],
    ['c', { files: new Set(['b']), packages: new Set<string>() }],
  ])
  expect(findCircle(circle)).toEqual(['b', 'c', 'b'])
})
