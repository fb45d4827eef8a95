import { once } from 'node:events'
import { createServer } from '@coedit/server'

/** A program that embeds a server and has nothing else to do, run as a process by process.ts. */
const [data = ''] = process.argv.slice(2)

const server = createServer(
  { data, port: 0, logLevel: 'debug', changeQuietMs: 60_000, changeMaxWaitMs: 60_000 },
  { hooks: { change: ({ name, seq }) => console.log(`told of ${name} ${seq}`) } },
)
await server.listen()
console.log(`coedit is ready on ${server.url}`)
await once(process, 'SIGTERM')
await server.close()
console.log('went on after close()')
