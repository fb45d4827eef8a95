import { setTimeout as pause } from 'node:timers/promises'
import type { TcpProxy } from '../../support/proxy.ts'
import { type Cluster, execute } from '../cluster.ts'
import type { Fault } from '../fault.ts'
import { endureHarms, type Harm } from '../harms.ts'

/** Some outlast the patience of a node, others do not. */
const LONGEST_HOLD_MS = 12_000
const TERMINATE_EVERY_MS = 400

/** The links of one node to its database, or of all. */
function linksOf({ nodes, random }: Cluster): readonly TcpProxy[] {
  return (random.chance(0.5) ? nodes : [random.pick(nodes)]).flatMap(({ links }) => links)
}

const cut: Harm = {
  name: 'cut',
  inject: async (cluster) => {
    for (const link of linksOf(cluster)) link.cut()
    return []
  },
}

const reset: Harm = {
  name: 'reset',
  inject: async (cluster) => {
    for (const link of linksOf(cluster)) link.reset()
    return []
  },
}

/** For a while no byte passes, and then all do. */
const held: Harm = {
  name: 'held',
  inject: async (cluster) => {
    const links = linksOf(cluster)
    for (const link of links) link.hold()
    await pause(cluster.random.below(LONGEST_HOLD_MS))
    for (const link of links) link.letThrough()
    return []
  },
}

/** The connections there are never carry a byte again, and neither end is told. The harm is done at once, and stays. */
const stranded: Harm = {
  name: 'half-open',
  inject: async (cluster) => {
    // PostgreSQL keeps its end until it has something to say on it.
    for (const link of linksOf(cluster)) void link.strand()
    return []
  },
}

export const clusterLinks: Fault = {
  name: 'cluster-links',
  what: 'connections of nodes to PostgreSQL are cut, reset, held up or half-open: nothing promised is lost, and all go on',
  amount: { unit: 'times', onDemand: 60, inTests: 2 },
  run: (trial) => endureHarms(trial, async () => ({ harms: [cut, reset, held, stranded] })),
}

const listeners: Harm = {
  name: 'all listeners',
  inject: async ({ primary }) => {
    await pause(TERMINATE_EVERY_MS)
    const listening = `SELECT pid FROM pg_stat_activity WHERE application_name = 'coedit listen'`
    await execute(primary, `SELECT pg_terminate_backend(pid) FROM (${listening}) AS listening`)
    return []
  },
}

export const clusterListeners: Fault = {
  name: 'cluster-listeners',
  what: 'whoever listens to PostgreSQL is cut off every 400 ms: all the same everybody soon sees what others write',
  amount: { unit: 'times', onDemand: 40, inTests: 3 },
  run: (trial) => endureHarms(trial, async () => ({ harms: [listeners] })),
}
