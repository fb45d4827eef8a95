import { hocuspocusDialect } from '../clients/hocuspocus-dialect.ts'
import { installPeers, PEERS } from './peers.ts'
import { startProcess } from './process.ts'
import type { ServerKind } from './server.ts'

export const hocuspocus: ServerKind = {
  name: 'hocuspocus',
  settings: '@hocuspocus/server 4.7.0, extension-sqlite 4.7.0 (better-sqlite3), stores whole documents after 2–10 s',
  dialect: hocuspocusDialect,
  start: async ({ dataDirectory, profileDirectory }) => {
    await installPeers()
    return startProcess({
      name: 'hocuspocus',
      args: ['hocuspocus.mjs', dataDirectory],
      cwd: PEERS,
      dialect: hocuspocusDialect,
      ready: /ready on http:\/\/127\.0\.0\.1:(\d+)\//,
      profileDirectory,
    })
  },
}
