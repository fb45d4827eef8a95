import { setTimeout as pause } from 'node:timers/promises'
import type { Fault } from '../fault.ts'
import { endureHarms, type Harm } from '../harms.ts'

const FREEZE_MS = 10_000

const node: Harm = {
  name: 'a node',
  inject: async (cluster) => {
    const { pid } = cluster.anyNode()
    process.kill(pid, 'SIGSTOP')
    await pause(FREEZE_MS)
    process.kill(pid, 'SIGCONT')
    return []
  },
}

const database: Harm = {
  name: 'PostgreSQL',
  inject: async ({ primary }) => {
    primary.freeze()
    await pause(FREEZE_MS)
    primary.thaw()
    return []
  },
}

export const clusterFreeze: Fault = {
  name: 'cluster-freeze',
  what: 'a node, or all of PostgreSQL, stands still for 10 s (SIGSTOP): nothing promised is lost, and all go on',
  amount: { unit: 'times', onDemand: 12, inTests: 1 },
  run: (trial) => endureHarms(trial, async () => ({ harms: [node, database] })),
}
