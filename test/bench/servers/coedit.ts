import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { yWebsocketDialect } from '../clients/y-websocket-dialect.ts'
import { startProcess } from './process.ts'
import type { ServerKind } from './server.ts'

const BIN = fileURLToPath(new URL('../../../server/bin/coedit.js', import.meta.url))
const BUILT = fileURLToPath(new URL('../../../server/dist/cli.js', import.meta.url))

export const coedit: ServerKind = {
  name: 'coedit',
  settings: 'defaults: LevelDB, every commit fsynced before it is relayed',
  dialect: yWebsocketDialect,
  start: async ({ dataDirectory, profileDirectory }) => {
    if (!existsSync(BUILT)) throw new Error('coedit is not built: run "npm run build" first.')
    return startProcess({
      name: 'coedit',
      args: [BIN, '--port', '0', '--data', dataDirectory],
      dialect: yWebsocketDialect,
      ready: /ready on http:\/\/127\.0\.0\.1:(\d+)\//,
      profileDirectory,
    })
  },
}
