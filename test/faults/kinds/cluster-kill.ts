import { setTimeout as pause } from 'node:timers/promises'
import type { PostgresServer } from '../../support/postgres.ts'
import { type ClusterNode, execute } from '../cluster.ts'
import type { Fault } from '../fault.ts'
import { endureHarms, type Harm } from '../harms.ts'

const LOOK_EVERY_MS = 20

/** It comes back when all are in step again without it. */
function node(): Harm {
  let victim: ClusterNode | undefined
  return {
    name: 'a node',
    inject: async (cluster) => {
      victim = cluster.anyNode()
      await victim.kill()
      // Before those who were there come to another node: they would bring back what it has lost.
      return cluster.look()
    },
    recovered: async () => {
      await victim?.restart()
      return []
    },
  }
}

/** PostgreSQL ends all others with it, and recovers as from a crash. */
const backend: Harm = {
  name: 'a backend',
  inject: async ({ primary, random }) => {
    const rows = await execute(primary, `SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'coedit %'`)
    process.kill(Number(random.pick(rows).pid), 'SIGKILL')
    while (!(await isUsable(primary))) await pause(LOOK_EVERY_MS)
    return []
  },
}

/** Another than the connections that are about to be ended. */
async function isUsable(database: PostgresServer): Promise<boolean> {
  return execute(database, 'SELECT').then(
    () => true,
    () => false,
  )
}

const postgres: Harm = {
  name: 'PostgreSQL',
  inject: async (cluster) => {
    await cluster.primary.crash()
    cluster.lockOut()
    await cluster.primary.restart()
    const broken = await cluster.look()
    cluster.letIn()
    return broken
  },
}

export const clusterKill: Fault = {
  name: 'cluster-kill',
  what: 'kill -9 of a node, of a backend of PostgreSQL and of all of PostgreSQL: nothing acknowledged or shown is lost',
  amount: { unit: 'times', onDemand: 66, inTests: 3 },
  run: (trial) => endureHarms(trial, async () => ({ harms: [node(), backend, postgres] })),
}
