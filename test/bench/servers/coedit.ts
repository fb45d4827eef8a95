import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { coeditDialect } from '../clients/coedit-dialect.ts'
import { hocuspocusDialect } from '../clients/hocuspocus-dialect.ts'
import { startProcess } from './process.ts'
import type { ServerKind } from './server.ts'

const BIN = fileURLToPath(new URL('../../../server/bin/coedit.js', import.meta.url))
const BUILT = fileURLToPath(new URL('../../../server/dist/cli.js', import.meta.url))

/** A client of a load stands for many, and is not to be slowed down as one that takes too much. */
const UNTHROTTLED = { COEDIT_MAX_CPU_MS_PER_SECOND: '1000', COEDIT_MAX_BYTES_PER_SECOND: '1073741824' }

/** What clients speak to it, and what it is called then. */
const SPOKEN = { coedit: coeditDialect, 'coedit-hocuspocus': hocuspocusDialect }

/** `env`: as its command line takes options, `COEDIT_MAX_GATHER_MS` for example; other variables are left out. */
export function coeditWith(env: NodeJS.ProcessEnv, name: keyof typeof SPOKEN = 'coedit'): ServerKind {
  const dialect = SPOKEN[name]
  const given = Object.fromEntries(Object.entries(env).filter(([name]) => name.startsWith('COEDIT_')))
  const options = { ...UNTHROTTLED, ...given }
  const changed = Object.entries(options).map(([name, value]) => `${name}=${value}`)
  return {
    name,
    settings: `LevelDB, every commit fsynced before it is relayed; ${changed.join(' ')}`,
    dialect,
    start: async ({ dataDirectory, profileDirectory }) => {
      if (!existsSync(BUILT)) throw new Error('coedit is not built: run "npm run build" first.')
      return startProcess({
        name,
        args: [BIN, '--port', '0', '--data', dataDirectory],
        env: options,
        dialect,
        ready: /ready on http:\/\/127\.0\.0\.1:(\d+)\//,
        profileDirectory,
      })
    },
  }
}
