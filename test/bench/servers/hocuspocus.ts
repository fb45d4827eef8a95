import { hocuspocusDialect } from '../clients/hocuspocus-dialect.ts'
import { installPeers, PEERS } from './peers.ts'
import { startProcess } from './process.ts'
import { startRedis } from './redis.ts'
import { type RunningServer, type ServerKind, type StartOptions, startTogether } from './server.ts'

const STORES = '@hocuspocus/server 4.7.0, extension-sqlite 4.7.0 (better-sqlite3), stores whole documents after 2–10 s'

export const hocuspocus: ServerKind = {
  name: 'hocuspocus',
  settings: STORES,
  dialect: hocuspocusDialect,
  start: async (options) => {
    await installPeers()
    return startNode(options)
  },
}

/** Nodes that tell each other by a Redis, which is started for them, and store into the same file. */
export const hocuspocusOnRedis: ServerKind = {
  name: 'hocuspocus',
  settings: `${STORES}, all nodes into one file; extension-redis 4.7.0 where there are several nodes`,
  dialect: hocuspocusDialect,
  isShared: true,
  start: async (options) => {
    await installPeers()
    if (options.nodes === 1) return startNode(options)
    return startTogether(async (release) => {
      const { port, pid } = await startRedis(release, options.dataDirectory)
      const nodes = Array.from({ length: options.nodes }, () => () => startNode(options, port))
      return { dialect: hocuspocusDialect, backing: pid, nodes }
    })
  },
}

function startNode({ dataDirectory, profileDirectory }: StartOptions, redisPort?: number): Promise<RunningServer> {
  return startProcess({
    name: 'hocuspocus',
    args: ['hocuspocus.mjs', dataDirectory, ...(redisPort === undefined ? [] : [`${redisPort}`])],
    cwd: PEERS,
    dialect: hocuspocusDialect,
    ready: /ready on http:\/\/127\.0\.0\.1:(\d+)\//,
    profileDirectory,
  })
}
