import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { startPostgres } from '../../support/postgres.ts'
import { coeditDialect } from '../clients/coedit-dialect.ts'
import type { Dialect } from '../clients/dialect.ts'
import { startProcess } from './process.ts'
import { type RunningServer, type ServerKind, type StartOptions, startTogether } from './server.ts'

const BIN = fileURLToPath(new URL('../../../server/bin/coedit.js', import.meta.url))
const BUILT = fileURLToPath(new URL('../../../server/dist/cli.js', import.meta.url))

/** A client of a load stands for many, and is not to be slowed down as one that takes too much. */
const UNTHROTTLED = { COEDIT_MAX_CPU_MS_PER_SECOND: '1000', COEDIT_MAX_BYTES_PER_SECOND: '1073741824' }

/** `env`: as its command line takes options, `COEDIT_MAX_GATHER_MS` for example; other variables are left out. */
export function coeditWith(env: NodeJS.ProcessEnv, name = 'coedit', dialect: Dialect = coeditDialect): ServerKind {
  const options = optionsIn(env)
  return {
    name,
    settings: `LevelDB, every commit fsynced before it is relayed; ${inWords(options)}`,
    dialect,
    start: (start) => startNode({ name, dialect, env: options }, start),
  }
}

/** Nodes that share a PostgreSQL, which is started for them. */
export function coeditOnPostgres(env: NodeJS.ProcessEnv): ServerKind {
  const name = 'coedit'
  const options = optionsIn(env)
  return {
    name,
    settings: `PostgreSQL with its own defaults, every commit fsynced before it is relayed; ${inWords(options)}`,
    dialect: coeditDialect,
    isShared: true,
    start: (start) =>
      startTogether(async (release) => {
        const postgres = await startPostgres(release, { directory: start.dataDirectory })
        const database = { ...options, COEDIT_DATABASE: await postgres.newDatabase() }
        const nodes = Array.from(
          { length: start.nodes },
          () => () => startNode({ name, dialect: coeditDialect, env: database }, start),
        )
        return { dialect: coeditDialect, backing: postgres.pid, nodes }
      }),
  }
}

function optionsIn(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const given = Object.fromEntries(Object.entries(env).filter(([name]) => name.startsWith('COEDIT_')))
  return { ...UNTHROTTLED, ...given }
}

function inWords(options: NodeJS.ProcessEnv): string {
  return Object.entries(options)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ')
}

interface Node {
  readonly name: string
  readonly dialect: Dialect
  readonly env: NodeJS.ProcessEnv
}

async function startNode({ name, dialect, env }: Node, options: StartOptions): Promise<RunningServer> {
  if (!existsSync(BUILT)) throw new Error('coedit is not built: run "npm run build" first.')
  return startProcess({
    name,
    args: [BIN, '--port', '0', ...(env.COEDIT_DATABASE === undefined ? ['--data', options.dataDirectory] : [])],
    env,
    dialect,
    ready: /ready on http:\/\/127\.0\.0\.1:(\d+)\//,
    profileDirectory: options.profileDirectory,
  })
}
