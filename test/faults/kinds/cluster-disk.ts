import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fillDisk } from '../../support/disk.ts'
import { type Cluster, startDatabase } from '../cluster.ts'
import type { Fault } from '../fault.ts'
import { endureHarms, type Harm } from '../harms.ts'
import { mountDisk } from './full-disk.ts'

const DISK_SIZE = '192m'
/** So that the log of PostgreSQL leaves room on it. */
const SETTINGS = ['max_wal_size=48MB', 'min_wal_size=32MB']
const LOOK_EVERY_MS = 50
const DEGRADE_LIMIT_MS = 30_000
/** Of space coming back. */
const RECOVERY_LIMIT_MS = 10_000
const LONGEST_SHORTAGE_MS = 2_000

function shortage(directory: string): Harm {
  return {
    name: 'full',
    inject: async (cluster) => {
      const filler = join(directory, 'filler')
      await fillDisk(filler)
      await untilHealth(cluster, DEGRADE_LIMIT_MS, 'a node to say degraded', (isOk) => !isOk.every(Boolean))
      await pause(cluster.random.below(LONGEST_SHORTAGE_MS))
      await rm(filler)
      await untilHealth(cluster, RECOVERY_LIMIT_MS, 'all nodes to say ok', async (isOk) => {
        // It gives up where there is no room for its log, and whoever looks after it starts it again.
        if (!cluster.primary.isRunning) await cluster.primary.restart()
        return isOk.every(Boolean)
      })
      return []
    },
  }
}

/** Resolves when the condition holds for what /health of each node says. */
async function untilHealth(
  { nodes }: Cluster,
  limitMs: number,
  what: string,
  condition: (isOk: readonly boolean[]) => boolean | Promise<boolean>,
): Promise<void> {
  for (const end = performance.now() + limitMs; performance.now() < end; await pause(LOOK_EVERY_MS)) {
    const isOk = await Promise.all(nodes.map(async ({ url }) => (await fetch(`${url}health`)).ok))
    if (await condition(isOk)) return
  }
  throw new Error(`waited ${limitMs / 1000} s in vain for ${what}`)
}

export const clusterDisk: Fault = {
  name: 'cluster-disk',
  what: 'the disk of PostgreSQL is full for a while: nodes say so and recover, and nothing promised is lost',
  amount: { unit: 'times', onDemand: 4, inTests: 1 },
  run: (trial) =>
    endureHarms(trial, async ({ release }) => {
      const disk = await mountDisk(release, DISK_SIZE)
      return { hosts: [await startDatabase(release, disk, SETTINGS)], harms: [shortage(disk)] }
    }),
}
