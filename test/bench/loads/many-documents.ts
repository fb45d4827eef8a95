import { independent } from '../clients/schedule.ts'
import { SURROUNDINGS } from './cpu-watch.ts'
import type { Load } from './load.ts'
import { runTyping } from './typing.ts'

export const manyDocuments: Load = {
  name: 'documents',
  describe: ({ seconds, manyDocuments: { documents, clientsEach, perSecond } }) =>
    `${documents} documents of ${clientsEach} clients, one of them typing ${perSecond}/s for ${seconds} s`,
  metrics: [
    { key: 'cpu', label: 'server CPU per update', unit: 'µs', goal: { timesHocuspocus: 0.85 } },
    { key: 'p50', label: 'latency p50', unit: 'ms', goal: { timesHocuspocus: 1.5 } },
    { key: 'p99', label: 'latency p99', unit: 'ms', goal: { timesHocuspocus: 1.5 } },
    ...SURROUNDINGS,
  ],
  run: async (bench) => {
    const { documents, clientsEach, perSecond } = bench.scale.manyDocuments
    const result = await runTyping(bench, {
      documents,
      typists: 1,
      lookers: clientsEach - 1,
      perSecond,
      preparedCharacters: 500,
      rhythm: independent(1),
    })
    return {
      cpu: (result.cpuMs * 1000) / result.edits,
      p50: result.latencies.quantile(0.5),
      p99: result.latencies.quantile(0.99),
      clients: result.spent.clients,
      strangers: result.spent.strangers,
    }
  },
}
