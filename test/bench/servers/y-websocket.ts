import { freePorts } from '../../support/ports.ts'
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
    // Its command line prints the port that it was given, so that 0 would tell nobody where it listens.
    const [port] = await freePorts(1)
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
