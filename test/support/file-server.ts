import { once } from 'node:events'
import { createServer } from 'node:http'
import { extname } from 'node:path'
import type { Release } from './temporary.ts'

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
}

/**
 * Serves files, by paths such as `assets/a.js`, on a free port of 127.0.0.1; `/` is `index.html`. Resolves with the
 * address, with a slash at its end.
 */
export async function serveFiles(release: Release, files: ReadonlyMap<string, string>): Promise<string> {
  const server = createServer(({ url = '/' }, response) => {
    const [path = ''] = url.slice(1).split('?')
    const name = path === '' ? 'index.html' : path
    const content = files.get(name)
    if (content === undefined) response.writeHead(404).end()
    else response.setHeader('content-type', TYPES[extname(name)] ?? 'application/octet-stream').end(content)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  release(async () => {
    server.close()
    server.closeAllConnections()
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server listens on no port')
  return `http://127.0.0.1:${address.port}/`
}
