import { createServer } from '../../server/src/index.ts'

/** Run as a process: edits documents in a server for which nobody listens, and has nothing else to do. */
const [data = ''] = process.argv.slice(2)

const server = createServer({ data, logLevel: 'silent' })
for (const text of ['a', 'b', 'c']) await server.edit('notes', (doc) => doc.getText('text').insert(0, text))
console.log((await server.read('notes')).getText('text').toString())
await server.close()
