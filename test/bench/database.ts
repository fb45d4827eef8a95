import { parseArgs } from 'node:util'
import { createClient } from '@redis/client'
import { Client } from 'pg'
import { PostgresStorage } from '../../server/src/storage/postgres/postgres-storage.ts'
import { startPostgres } from '../support/postgres.ts'
import { inScope } from '../support/scope.ts'
import { temporaryDirectory } from '../support/temporary.ts'
import { preparedText } from './content/typing.ts'
import { startRedis } from './servers/redis.ts'
import { Usage } from './servers/usage.ts'

/*
 * What edits, loads and hints cost a PostgreSQL of its own, and hints a Redis, however many servers ask:
 * `npm run bench:database -- --documents 100000`. server/SCALING.md reckons with these figures.
 */

const BATCHES = [1, 10, 100]
const LISTENERS = [0, 4, 16, 50]
/** Documents that one server has open. */
const FOLLOWED = 800
const HEADS = 'SELECT name, incarnation, head FROM coedit.documents WHERE name = ANY($1::text[])'
const HINT = 'x'.repeat(200)
const EDIT = preparedText(20)
const SIZES = `SELECT c.relname, pg_total_relation_size(c.oid) AS size
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = 'coedit' AND c.relkind = 'r' AND c.relname IN ('documents', 'entries') ORDER BY 2 DESC`

await inScope(async (release) => {
  const { values } = parseArgs({ options: { documents: { type: 'string', default: '100000' } } })
  const documents = Number(values.documents)
  if (!(Number.isInteger(documents) && documents >= 100)) {
    throw new Error(`--documents takes a whole number from 100, not "${values.documents}".`)
  }
  const postgres = await startPostgres(release)
  const url = await postgres.newDatabase()
  const usage = new Usage([postgres.pid])
  const hints = documents / 100
  const storage = new PostgresStorage({ url })
  await storage.open()
  release(() => storage.close())

  await measure(`a document made, ${BATCHES.at(-1)} at once`, documents, () => append(documents, 100, 0), usage)
  const edits = documents / 5
  for (const batch of BATCHES) await measure(`an edit, ${batch} at once`, edits, () => append(edits, batch, 1), usage)
  const loads = documents / 20
  await measure(
    'a document loaded',
    loads,
    async () => {
      for (let index = 0; index < loads; index++) await storage.load(nameOf((index * 31) % documents))
    },
    usage,
  )
  await measureHeads()
  for (const listeners of LISTENERS) await measureHints(listeners)
  for (const listeners of LISTENERS) await measureRedis(listeners)
  for (const { relname, size } of await postgres.execute(url, SIZES)) {
    console.log(`${relname}: ${(Number(size) / documents).toFixed(0)} bytes a document`)
  }

  function nameOf(index: number): string {
    return `team/${index}`
  }

  /** Each batch goes to as many documents, the next ones. */
  async function append(edits: number, batch: number, base: number): Promise<void> {
    for (let first = 0; first < edits; first += batch) {
      const places = Array.from({ length: batch }, (_, place) => (first + place) % documents)
      await storage.append(places.map((place) => ({ document: nameOf(place), update: EDIT, base })))
    }
  }

  /** As servers do it every 2 s. */
  async function measureHeads(): Promise<void> {
    const client = await connected()
    const names = Array.from({ length: Math.min(FOLLOWED, documents) }, (_, index) => nameOf(index))
    const looks = documents / 1_000
    await measure(
      `the heads of ${names.length} documents`,
      looks,
      async () => {
        for (let look = 0; look < looks; look++) await client.query(HEADS, [names])
      },
      usage,
    )
    await client.end()
  }

  async function measureHints(listeners: number): Promise<void> {
    const clients = await Promise.all(Array.from({ length: listeners + 1 }, () => connected()))
    const [speaker, ...others] = clients
    for (const other of others) await other.query('LISTEN bench')
    const heard = others.map((other) => heardOften((listener) => other.on('notification', listener)))
    await measure(
      `a hint by NOTIFY with ${listeners} who listen`,
      hints,
      async () => {
        for (let index = 0; index < hints; index++) await speaker?.query('SELECT pg_notify($1, $2)', ['bench', HINT])
        await Promise.all(heard)
      },
      usage,
    )
    await Promise.all(clients.map((client) => client.end()))
  }

  async function connected(): Promise<Client> {
    const client = new Client(url)
    await client.connect()
    return client
  }

  async function measureRedis(listeners: number): Promise<void> {
    const { port, pid } = await startRedis(release, await temporaryDirectory(release))
    const clients = Array.from({ length: listeners + 1 }, () => createClient({ url: `redis://127.0.0.1:${port}` }))
    await Promise.all(clients.map((client) => client.connect()))
    const [speaker, ...others] = clients
    const heard = others.map((other) => heardOften((listener) => void other.subscribe('bench', listener)))
    await measure(`a hint by Redis with ${listeners} who listen`, hints, () => publishAll(), new Usage([pid]))
    for (const client of clients) client.destroy()

    async function publishAll(): Promise<void> {
      for (let index = 0; index < hints; index++) await speaker?.publish('bench', HINT)
      await Promise.all(heard)
    }
  }

  /** Resolves when a listener was called for every hint. */
  function heardOften(listen: (listener: () => void) => void): Promise<void> {
    return new Promise((resolve) => {
      let left = hints
      listen(() => {
        left -= 1
        if (left === 0) resolve()
      })
    })
  }
})

/** Says what a process spent on each of `times` things, and how long each took. */
async function measure(what: string, times: number, work: () => Promise<void>, usage: Usage): Promise<void> {
  const before = usage.cpuMs()
  const start = performance.now()
  await work()
  const ms = performance.now() - start
  const cpuMs = usage.cpuMs() - before
  const each = (sum: number) => ((sum * 1000) / times).toFixed(0)
  console.log(`${what}: ${each(cpuMs)} µs of CPU, ${each(ms)} µs`)
}
