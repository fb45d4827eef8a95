import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import type { Release } from './temporary.ts'

/** The reference server of y-websocket 2.1.0, on a port that the system chooses. */
const SCRIPT = `
  const { WebSocketServer } = require('ws')
  const { setupWSConnection, getPersistence } = require('y-websocket-v2/bin/utils')
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 })
  server.on('connection', (socket, request) => setupWSConnection(socket, request))
  server.on('listening', () => console.log('listens on ' + server.address().port))
  process.on('SIGTERM', async () => {
    const { provider } = getPersistence()
    await provider.getYDoc('') // behind the loading of documents, after which it begins to store them
    await provider.destroy()
    process.exit()
  })
`

export interface PersistentStockServer {
  readonly url: string
  /** Ends it once everything that it received is stored. */
  stop(): Promise<void>
}

/** Starts the reference server in a process of its own. Resolves with its address, such as `ws://127.0.0.1:40000`. */
export async function startStockServer(release: Release): Promise<string> {
  return (await launch(release, {})).url
}

/** Starts the reference server so that it keeps its documents, by y-leveldb, in the directory. */
export async function startPersistentStockServer(release: Release, directory: string): Promise<PersistentStockServer> {
  const { url, child, exited } = await launch(release, { YPERSISTENCE: directory })
  return {
    url,
    stop: async () => {
      child.kill('SIGTERM')
      await exited
    },
  }
}

interface Launched {
  readonly url: string
  readonly child: ChildProcessByStdio<null, Readable, null>
  readonly exited: Promise<unknown>
}

async function launch(release: Release, variables: NodeJS.ProcessEnv): Promise<Launched> {
  const child = spawn(process.execPath, ['-e', SCRIPT], {
    cwd: import.meta.dirname,
    env: { ...process.env, ...variables },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  release(async () => {
    child.kill('SIGKILL')
    await exited
  })
  let output = ''
  let port: string | undefined
  while (port === undefined) {
    output += String((await once(child.stdout, 'data'))[0])
    port = /^listens on (\d+)$/m.exec(output)?.[1]
  }
  return { url: `ws://127.0.0.1:${port}`, child, exited }
}
