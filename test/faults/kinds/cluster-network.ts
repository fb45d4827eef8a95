import { setTimeout as pause } from 'node:timers/promises'
import { type Line, NetworkNamespace, plugIn, unplug } from '../../support/network-namespace.ts'
import { startProxy } from '../../support/proxy.ts'
import { ClusterNode, type NodeOptions, startDatabase } from '../cluster.ts'
import { CannotInject, type Fault, type Trial } from '../fault.ts'
import { endureHarms, type Harm, type HarmfulCluster, IN_STEP_MS } from '../harms.ts'

/** Some outlast the patience of a node, others do not. */
const LONGEST_CUT_MS = 12_000
/**
 * TCP waits twice as long before it sends again each time, so a connection that outlives a cut goes on after up to as
 * long again. Measured with `net.ipv4.tcp_rto_max_ms` of 1,000: all were in step within 1.2 s.
 */
const RETRANSMISSION_MS = LONGEST_CUT_MS

function unplugged(name: string, lines: readonly Line[], inStepMs = IN_STEP_MS): Harm {
  return {
    name,
    inStepMs,
    inject: async ({ random, circles }) => {
      // Those whom an earlier cut had go to other nodes come back to this one.
      circles.reconnect()
      await circles.allGrow(1)
      await Promise.all(lines.map(unplug))
      await pause(random.below(LONGEST_CUT_MS))
      await Promise.all(lines.map(plugIn))
      return []
    },
  }
}

/** One node has a network of its own, with a line to the database and one to the clients. */
async function withRemoteNode({ release, random }: Pick<Trial, 'release' | 'random'>): Promise<HarmfulCluster> {
  const database = await startDatabase(release)
  const namespace = await namespaceFor(release, random)
  const [toDatabase, toClients] = [await namespace.connect(), await namespace.connect()]
  const startFirst = async (options: NodeOptions) => {
    const link = await startProxy({ release, target: `http://${database.host}`, host: toDatabase.here })
    const flags = ['--host', toClients.there, '--insecure-no-auth']
    return ClusterNode.start({ ...options, links: [link], flags, runtime: namespace.runtime })
  }
  const harms = [
    unplugged('from the database', [toDatabase]),
    unplugged('from clients', [toClients], IN_STEP_MS + RETRANSMISSION_MS),
    unplugged('from both', [toDatabase, toClients], IN_STEP_MS + RETRANSMISSION_MS),
  ]
  return { hosts: [database], startFirst, harms }
}

async function namespaceFor(release: Trial['release'], random: Trial['random']): Promise<NetworkNamespace> {
  try {
    return await NetworkNamespace.create(release, random)
  } catch (cause) {
    throw new CannotInject('needs network namespaces (root, and iproute2)', { cause })
  }
}

export const clusterNetwork: Fault = {
  name: 'cluster-network',
  what: 'the network cuts one node off, from PostgreSQL, from clients or from both: nothing promised is lost, and all go on',
  amount: { unit: 'times', onDemand: 8, inTests: 1 },
  run: (trial) => endureHarms(trial, withRemoteNode),
}
