import { createServer } from 'node:net'
import { yWebsocketDialect } from '../clients/y-websocket-dialect.ts'
import { installPeers, PEERS } from './peers.ts'
import { startProcess } from './process.ts'
import type { ServerKind } from './server.ts'

export const yWebsocket: ServerKind = {
  name: 'y-websocket',
  settings: 'y-websocket 2.1.0 with YPERSISTENCE (y-leveldb), writes not synced and not awaited',
  dialect: yWebsocketDialect,
  start: async ({ dataDirectory, profileDirectory }) => {
    await installPeers()
    const port = await freePort()
    return startProcess({
      name: 'y-websocket',
      args: ['node_modules/y-websocket/bin/server.cjs'],
      cwd: PEERS,
      env: { HOST: '127.0.0.1', PORT: String(port), YPERSISTENCE: dataDirectory },
      dialect: yWebsocketDialect,
      ready: /running at '127\.0\.0\.1' on port (\d+)/,
      profileDirectory,
    })
  },
}

/** Its command line prints the port that it was given, so that 0 would tell nobody where it listens. */
async function freePort(): Promise<number> {
  const probe = createServer()
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve))
  const address = probe.address()
  await new Promise((resolve) => probe.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('No free port was found.')
  return address.port
}
