import { setTimeout as pause } from 'node:timers/promises'
import { within } from '../../bench/within.ts'
import { startServer } from '../../support/process.ts'
import { startProxy, type TcpProxy } from '../../support/proxy.ts'
import type { Random } from '../../support/random.ts'
import { Circles, COMPACTING } from '../circles.ts'
import type { Fault, Finding, Trial } from '../fault.ts'

const PING_INTERVAL_MS = 500
/** A peer that is gone is noticed at the second ping. The rest is for a busy machine. */
const GIVE_UP_LIMIT_MS = 2 * PING_INTERVAL_MS + 4_000
/** Some partitions outlast the server's patience, others do not. */
const LONGEST_PARTITION_MS = 3 * PING_INTERVAL_MS
/** What has passed the proxy before arrives within that. */
const IN_FLIGHT_MS = 100

/** What is done to the lines. */
interface Harm {
  readonly proxy: TcpProxy
  readonly circles: Circles
  readonly random: Random
}

export const reset: Fault = {
  name: 'reset',
  what: 'all connections are reset (RST) while people type: nothing promised is lost, and all converge',
  amount: { unit: 'times', onDemand: 200, inTests: 10 },
  run: (trial) => harmTheLine(trial, async ({ proxy }) => proxy.reset()),
}

export const partition: Fault = {
  name: 'partition',
  what: 'for a while no byte passes, and then all do: nothing promised is lost, and all converge',
  amount: { unit: 'times', onDemand: 50, inTests: 4 },
  run: (trial) =>
    harmTheLine(trial, async ({ proxy, circles, random }) => {
      proxy.hold()
      await pause(IN_FLIGHT_MS)
      const { promised } = circles
      await pause(random.below(LONGEST_PARTITION_MS))
      if (circles.promised > promised) throw new Error('something got through: this was no partition')
      proxy.letThrough()
    }),
}

export const halfOpen: Fault = {
  name: 'half-open',
  what: `clients vanish without a goodbye: the server gives up on them after two pings, nothing promised is lost`,
  amount: { unit: 'times', onDemand: 50, inTests: 3 },
  run: (trial) =>
    harmTheLine(trial, async ({ proxy, circles }) => {
      const givenUp = proxy.strand()
      circles.reconnect()
      await within(GIVE_UP_LIMIT_MS, 'the server to give up half-open connections', givenUp)
    }),
}

/** Harms the lines again and again while people type; in the end the server is killed, and has to have everything. */
async function harmTheLine(trial: Trial, harm: (target: Harm) => Promise<void>): Promise<Finding> {
  const { release, random, amount } = trial
  const flags = [...COMPACTING, '--ping-interval-ms', `${PING_INTERVAL_MS}`]
  const server = await startServer({ release, flags })
  const proxy = await startProxy({ release, target: server.url })
  const circles = new Circles({ release, url: proxy.url, random })
  await circles.start()
  for (let injected = 1; injected <= amount; injected++) {
    await circles.goOn()
    await harm({ proxy, circles, random })
    trial.say(`${injected} times, ${circles.promised} promises`)
  }
  await circles.converge()
  await server.kill()
  const { url } = await startServer({ release, data: server.data })
  const broken = [...(await circles.brokenAt(url)), ...(await circles.differencesAt(url))]
  return { injected: amount, promised: circles.promised, broken }
}
