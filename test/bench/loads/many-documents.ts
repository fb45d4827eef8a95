import { independent } from '../clients/schedule.ts'
import type { Scale } from '../scale.ts'
import { BACKING, SURROUNDINGS } from './cpu-watch.ts'
import type { Bench, Figures, Load, Metric } from './load.ts'
import { runTyping } from './typing.ts'

const COST: Metric = { key: 'cpu', label: 'server CPU per update', unit: 'µs' }
const P50: Metric = { key: 'p50', label: 'latency p50', unit: 'ms' }
const P99: Metric = { key: 'p99', label: 'latency p99', unit: 'ms' }

export const manyDocuments: Load = {
  name: 'documents',
  describe: ({ seconds, manyDocuments: shape }) => inWords(seconds, shape),
  metrics: [
    { ...COST, goal: { timesHocuspocus: 0.85 } },
    { ...P50, goal: { timesHocuspocus: 1.5 } },
    { ...P99, goal: { timesHocuspocus: 1.5 } },
    ...SURROUNDINGS,
  ],
  run: (bench) => typeIn(bench, bench.scale.manyDocuments),
}

/** The clients of each document are at one node after the other. */
export function documentsOver(nodes: number): Load {
  return {
    name: 'documents',
    nodes,
    describe: ({ seconds, manyDocuments: shape }) => `${inWords(seconds, shape)}, over ${nodes} nodes`,
    metrics: [COST, BACKING, P50, P99, ...SURROUNDINGS],
    run: (bench) => typeIn(bench, bench.scale.manyDocuments),
  }
}

/** How soon somebody at one node sees what somebody at another writes, when there is little to do. */
export function across(nodes: number): Load {
  return {
    name: 'across',
    nodes,
    describe: ({ seconds, across: shape }) => `${inWords(seconds, shape)}, over ${nodes} nodes`,
    metrics: [COST, BACKING, nodes > 1 ? { ...P50, goal: { atMost: 6 } } : P50, P99, ...SURROUNDINGS],
    run: (bench) => typeIn(bench, bench.scale.across),
  }
}

function inWords(seconds: number, { documents, clientsEach, perSecond }: Scale['manyDocuments']): string {
  return `${documents} documents of ${clientsEach} clients, one of them typing ${perSecond}/s for ${seconds} s`
}

async function typeIn(bench: Bench, { documents, clientsEach, perSecond }: Scale['manyDocuments']): Promise<Figures> {
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
    backing: (result.backingMs * 1000) / result.edits,
    p50: result.latencies.quantile(0.5),
    p99: result.latencies.quantile(0.99),
    clients: result.spent.clients,
    strangers: result.spent.strangers,
  }
}
