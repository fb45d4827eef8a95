import { setTimeout as sleep } from 'node:timers/promises'
import { Countdown } from '../clients/countdown.ts'
import { Latencies } from '../clients/latencies.ts'
import { Patcher, Watcher } from '../clients/plain-http.ts'
import { everyInterval, inStep, runSchedule } from '../clients/schedule.ts'
import type { RunningServer } from '../servers/server.ts'
import { within } from '../within.ts'
import { SURROUNDINGS, watchCpu } from './cpu-watch.ts'
import type { Load } from './load.ts'
import { requireOpenFiles } from './open-files.ts'

const CONNECTING_AT_ONCE = 50
const SPARE_FILES = 500
const LIMIT_MS = 120_000
const PATH = '/api/documents/ticker/events?as=json&root=prices'
const PRICE = /"value":(\d+)/g

/** Whoever looks on without Yjs: one root of one document as server-sent events. */
export const watchers: Load = {
  name: 'watchers',
  describe: ({ seconds, watchers: { connections, perSecond, restSeconds } }) =>
    `${connections} event streams of one root as JSON, ${perSecond} changes/s by PATCH for ${seconds} s; memory ` +
    `${restSeconds} s after the start and ${restSeconds} s after the last has come; latency from the request to each reader`,
  metrics: [
    { key: 'p50', label: 'latency p50', unit: 'ms' },
    { key: 'p99', label: 'latency p99', unit: 'ms', goal: { atMost: 150 } },
    { key: 'kib', label: 'resident memory per stream', unit: 'KiB', goal: { atMost: 8 } },
    { key: 'cpu', label: 'server CPU per delivery', unit: 'µs' },
    ...SURROUNDINGS,
  ],
  run: async ({ scale, start }) => {
    const { connections, perSecond, restSeconds } = scale.watchers
    const changes = scale.seconds * perSecond
    requireOpenFiles(connections + SPARE_FILES)
    const { server, usage } = await start()
    const first = await Patcher.connect(server)
    await first.patch('ticker', 'prices', '{"price":0}')
    first.close()
    await sleep(restSeconds * 1000)
    const before = usage.memory().residentKiB

    const sentAt: number[] = []
    const latencies = new Latencies()
    const arrived = new Countdown(connections)
    let lose: (error: Error) => void = () => undefined
    const lost = new Promise<never>((_, reject) => {
      lose = reject
    })
    lost.catch(() => undefined)
    const open = () => {
      let rest = ''
      const take = (data: Buffer) => {
        const now = performance.now()
        const text = rest + data.toString('latin1')
        const end = text.lastIndexOf('\n\n') + 1
        rest = text.slice(end)
        for (const [, digits] of text.slice(0, end).matchAll(PRICE)) {
          const price = Number(digits)
          latencies.add(now - (sentAt[price] ?? Number.NaN))
          if (price === changes) arrived.count()
        }
      }
      return Watcher.open(server, PATH, take, lose)
    }
    const all = await openAll(connections, open)
    await sleep(restSeconds * 1000)
    const kib = (usage.memory().residentKiB - before) / connections

    // The server closes connections that bring no request for some seconds.
    const patcher = await Patcher.connect(server)
    const watch = watchCpu(usage)
    const numbers = Array.from({ length: changes }, (_, index) => index + 1)
    const patches: Promise<void>[] = []
    let turn = Promise.resolve()
    await runSchedule(
      everyInterval(numbers, 1000 / perSecond, inStep(), (price) => {
        // One connection takes one at a time.
        turn = turn.then(() => {
          sentAt[price] = performance.now()
          return patcher.patch('ticker', 'prices', `{"price":${price}}`)
        })
        turn.catch(lose)
        patches.push(turn)
      }),
    )
    await within(
      LIMIT_MS,
      'the last price at every watcher',
      Promise.race([Promise.all([...patches, arrived.done]), lost]),
    )
    const spent = watch()
    for (const watcher of all) watcher.close()
    patcher.close()
    await server.stop()
    return {
      p50: latencies.quantile(0.5),
      p99: latencies.quantile(0.99),
      kib,
      cpu: (spent.serverMs * 1000) / (connections * changes),
      clients: spent.clients,
      strangers: spent.strangers,
    }
  },
}

async function openAll(count: number, open: () => Promise<Watcher>): Promise<readonly Watcher[]> {
  const all: Watcher[] = []
  while (all.length < count) {
    const some = Array.from({ length: Math.min(CONNECTING_AT_ONCE, count - all.length) }, open)
    all.push(...(await Promise.all(some)))
  }
  return all
}

/** How fast services write without Yjs: so many requests are under way as there are documents. */
export const patch: Load = {
  name: 'patch',
  describe: ({ patch: { inFlight, roundTrips } }) =>
    `${inFlight} services, each on a connection and a document of its own, patch a number by HTTP, wait until it is durable, and send the next, ${roundTrips} each`,
  metrics: [
    { key: 'rate', label: 'durable round trips', unit: '1/s', goal: { atLeast: 4_000 } },
    { key: 'cpu', label: 'server CPU per round trip', unit: 'µs' },
    { key: 'p50', label: 'latency p50', unit: 'ms' },
    { key: 'p99', label: 'latency p99', unit: 'ms' },
    ...SURROUNDINGS,
  ],
  run: async ({ scale, start }) => {
    const { server, usage } = await start()
    const { inFlight, roundTrips } = scale.patch
    const latencies = new Latencies()
    const first = await Patcher.connect(server)
    for (let index = 0; index < inFlight; index++) await first.patch(`patch-${index}`, 'stock', '{"count":0}')
    first.close()
    await usage.settle(scale.quietMs)

    const services = await Promise.all(Array.from({ length: inFlight }, () => Patcher.connect(server)))
    const watch = watchCpu(usage)
    const working = services.map(async (service, index) => {
      for (let count = 1; count <= roundTrips; count++) {
        const sentAt = performance.now()
        await service.patch(`patch-${index}`, 'stock', `{"count":${count}}`)
        latencies.add(performance.now() - sentAt)
      }
    })
    await within(LIMIT_MS, 'every answer', Promise.all(working))
    const spent = watch()
    await Promise.all(services.map((_, index) => expectStock(server, `patch-${index}`, roundTrips)))
    for (const service of services) service.close()
    await server.stop()
    return {
      rate: (inFlight * roundTrips) / spent.seconds,
      cpu: (spent.serverMs * 1000) / (inFlight * roundTrips),
      p50: latencies.quantile(0.5),
      p99: latencies.quantile(0.99),
      clients: spent.clients,
      strangers: spent.strangers,
    }
  },
}

async function expectStock({ urls: [url = ''] }: RunningServer, document: string, count: number): Promise<void> {
  const address = `${url.replace('ws:', 'http:')}/api/documents/${document}/content?root=stock`
  const answer: unknown = await (await fetch(address)).json()
  if (JSON.stringify(answer) === JSON.stringify({ count })) return
  throw new Error(`"${document}" holds ${JSON.stringify(answer)} and not the last count, ${count}.`)
}
