import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { within } from '../../bench/within.ts'
import { fillDisk, mountMemory } from '../../support/disk.ts'
import { startServer } from '../../support/process.ts'
import { startProxy } from '../../support/proxy.ts'
import type { Random } from '../../support/random.ts'
import type { Release } from '../../support/temporary.ts'
import { Circles, COMPACTING } from '../circles.ts'
import { CannotInject, type Fault } from '../fault.ts'

const DISK_SIZE = '32m'
const LOOK_EVERY_MS = 50
const DEGRADE_LIMIT_MS = 30_000
/** Of space coming back, as the design has it. */
const RECOVERY_LIMIT_MS = 10_000
const LONGEST_SHORTAGE_MS = 2_000

export const fullDisk: Fault = {
  name: 'full-disk',
  what: 'the disk is full for a while: the server says so and recovers, and nothing that it ever promised is lost',
  amount: { unit: 'times', onDemand: 50, inTests: 2 },
  run: async ({ release, amount, random, say }) => {
    const disk = await mountDisk(release, DISK_SIZE)
    const data = join(disk, 'data')
    const filler = join(disk, 'filler')
    let server = await startServer({ release, data, flags: COMPACTING })
    const proxy = await startProxy({ release, target: server.url })
    const circles = new Circles({ release, url: proxy.url, random })
    await circles.start()
    for (let injected = 1; injected <= amount; injected++) {
      await circles.goOn()
      await runShort(filler, server.url, random)
      await circles.goOn()
      await server.kill()
      proxy.refuse()
      server = await startServer({ release, data, flags: COMPACTING })
      const broken = await circles.brokenAt(server.url)
      if (broken.length > 0) return { injected, promised: circles.promised, broken }
      proxy.leadTo(server.url)
      say(`${injected} times, ${circles.promised} promises`)
    }
    await circles.converge()
    return { injected: amount, promised: circles.promised, broken: await circles.differencesAt(server.url) }
  },
}

/**
 * Fills the disk and frees it again. A promise that is made meanwhile is none too many: LevelDB frees space of its own
 * when it opens again, and what fits there is as durable as the rest.
 */
async function runShort(filler: string, url: string, random: Random): Promise<void> {
  await fillDisk(filler)
  await within(DEGRADE_LIMIT_MS, '/health to say degraded', hasStatus(url, 503))
  await pause(random.below(LONGEST_SHORTAGE_MS))
  await rm(filler)
  await within(RECOVERY_LIMIT_MS, '/health to say ok', hasStatus(url, 200))
}

/** Rejects with CannotInject without the right to do so. */
export async function mountDisk(release: Release, size: string): Promise<string> {
  try {
    return await mountMemory(release, size)
  } catch (cause) {
    throw new CannotInject('needs the right to mount a file system (root)', { cause })
  }
}

async function hasStatus(url: string, status: number): Promise<void> {
  while ((await fetch(`${url}health`)).status !== status) await pause(LOOK_EVERY_MS)
}
