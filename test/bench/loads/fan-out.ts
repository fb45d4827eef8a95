import { independent, inStep, type Rhythm } from '../clients/schedule.ts'
import { SURROUNDINGS } from './cpu-watch.ts'
import type { Load } from './load.ts'
import { runTyping } from './typing.ts'

export const fanOut = fanOutLoad('fanout', 'each at its own moments', () => independent(1))

/** A server that gathers what arrives together looks much better here than with people. */
export const burst = fanOutLoad('burst', 'all at the same moments', inStep)

function fanOutLoad(name: string, when: string, rhythm: () => Rhythm): Load {
  return {
    name,
    describe: ({ seconds, fanOut: { clients, typing, perSecond } }) =>
      `${clients} clients on one document, ${typing} of them typing ${perSecond}/s each for ${seconds} s, ${when}`,
    metrics: [
      { key: 'cpu', label: 'server CPU per delivery', unit: 'µs', goal: { timesHocuspocus: 0.45 } },
      { key: 'p50', label: 'latency p50', unit: 'ms' },
      { key: 'p99', label: 'latency p99', unit: 'ms', goal: { timesHocuspocus: 0.4 } },
      ...SURROUNDINGS,
    ],
    run: async (bench) => {
      const { clients, typing, perSecond } = bench.scale.fanOut
      const result = await runTyping(bench, {
        documents: 1,
        typists: typing,
        lookers: clients - typing,
        perSecond,
        preparedCharacters: 5_000,
        rhythm: rhythm(),
      })
      return {
        cpu: (result.cpuMs * 1000) / result.deliveries,
        p50: result.latencies.quantile(0.5),
        p99: result.latencies.quantile(0.99),
        clients: result.spent.clients,
        strangers: result.spent.strangers,
      }
    },
  }
}
