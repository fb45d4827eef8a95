import { createServer } from '@coedit/server'

/** Run as a process: a server on a directory or a PostgreSQL, whose hooks say on stderr what they are told. */
const [place = ''] = process.argv.slice(2)

const tell = (hook) => (change) => {
  const updates = change.updates.map((update) => Buffer.from(update).toString('base64'))
  process.stderr.write(`${JSON.stringify({ hook, name: change.name, seq: change.seq, updates })}\n`)
}

const server = createServer(
  {
    port: 0,
    logLevel: 'silent',
    changeQuietMs: 1_000,
    ...(place.startsWith('postgres') ? { database: place } : { data: place }),
  },
  { hooks: { commit: tell('commit'), change: tell('change') } },
)
await server.listen()
console.log(`coedit is ready on ${server.url}`)
process.once('SIGTERM', () => server.close())
