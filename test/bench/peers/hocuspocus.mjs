// Hocuspocus with its SQLite extension and default settings: node hocuspocus.mjs DIRECTORY [PORT of a Redis]
import { join } from 'node:path'
import { Redis } from '@hocuspocus/extension-redis'
import { SQLite } from '@hocuspocus/extension-sqlite'
import { Server } from '@hocuspocus/server'

const [directory, redisPort] = process.argv.slice(2)
const server = new Server({
  address: '127.0.0.1',
  port: 0,
  quiet: true,
  extensions: [
    new SQLite({ database: join(directory, 'documents.sqlite') }),
    ...(redisPort === undefined ? [] : [new Redis({ host: '127.0.0.1', port: Number(redisPort) })]),
  ],
})
await server.listen()
console.log(`ready on http://127.0.0.1:${server.address.port}/`)
