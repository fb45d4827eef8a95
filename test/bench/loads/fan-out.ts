import { independent, inStep, type Rhythm } from '../clients/schedule.ts'
import type { Scale } from '../scale.ts'
import { BACKING, SURROUNDINGS } from './cpu-watch.ts'
import type { Goal, Load } from './load.ts'
import { runTyping } from './typing.ts'

export const fanOut = fanOutLoad({
  name: 'fanout',
  when: 'each at its own moments',
  rhythm: () => independent(1),
  goals: { cpu: 0.85, p50: 2.5, p99: 1.2 },
})

/** A server that gathers what arrives together looks much better here than with people. */
export const burst = fanOutLoad({
  name: 'burst',
  when: 'all at the same moments',
  rhythm: inStep,
  goals: { cpu: 0.45, p99: 0.4 },
})

/** Nobody only reads but the one whose content is compared with what was written. */
export const allTyping = fanOutLoad({
  name: 'alltyping',
  when: 'each at its own moments',
  rhythm: () => independent(1),
  everybodyTypes: true,
  goals: { cpu: 0.45, p99: 1.5 },
})

/** Over several nodes, of which each has its share of those who type and of those who look on. */
export function fanOutOver(nodes: number): Load {
  return fanOutLoad({
    name: 'fanout',
    nodes,
    when: `each at its own moments, over ${nodes} nodes`,
    rhythm: () => independent(1),
    goals: nodes === 2 ? { cpu: 0.7, p99: 1.5 } : {},
  })
}

interface Shape {
  readonly name: string
  readonly nodes?: number
  readonly when: string
  readonly rhythm: () => Rhythm
  /** Default: as many as the scale has. */
  readonly everybodyTypes?: boolean
  /** What the server's CPU time and the latencies are at most, as multiples of those of Hocuspocus. */
  readonly goals: { readonly cpu?: number; readonly p50?: number; readonly p99?: number }
}

function fanOutLoad({ name, nodes, when, rhythm, everybodyTypes = false, goals }: Shape): Load {
  const typistsIn = ({ clients, typing }: Scale['fanOut']) => (everybodyTypes ? clients - 1 : typing)
  return {
    name,
    ...(nodes !== undefined && { nodes }),
    describe: ({ seconds, fanOut: shape }) =>
      `${shape.clients} clients on one document, ${typistsIn(shape)} of them typing ${shape.perSecond}/s each for ${seconds} s, ${when}`,
    metrics: [
      { key: 'cpu', label: 'server CPU per delivery', unit: 'µs', ...relative(goals.cpu) },
      { key: 'p50', label: 'latency p50', unit: 'ms', ...relative(goals.p50) },
      { key: 'p99', label: 'latency p99', unit: 'ms', ...relative(goals.p99) },
      ...(nodes === undefined ? [] : [BACKING]),
      ...SURROUNDINGS,
    ],
    run: async (bench) => {
      const { clients, perSecond } = bench.scale.fanOut
      const typing = typistsIn(bench.scale.fanOut)
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
        backing: (result.backingMs * 1000) / result.deliveries,
        p50: result.latencies.quantile(0.5),
        p99: result.latencies.quantile(0.99),
        clients: result.spent.clients,
        strangers: result.spent.strangers,
      }
    },
  }
}

function relative(timesHocuspocus: number | undefined): { readonly goal?: Goal } {
  return timesHocuspocus === undefined ? {} : { goal: { timesHocuspocus } }
}
