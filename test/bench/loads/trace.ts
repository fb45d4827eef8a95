import { ClientGroup } from '../clients/client-group.ts'
import { writeAll } from '../clients/writing.ts'
import { documentFrom, expectText } from '../content/text.ts'
import type { WrittenTrace } from '../content/trace.ts'
import { SURROUNDINGS, watchCpu } from './cpu-watch.ts'
import { diskUse } from './disk-use.ts'
import { joinAtOnce } from './joining.ts'
import type { Bench, Figures, Load } from './load.ts'

const DOCUMENT = 'trace'
/** Few enough that nobody buffers for long, enough that a commit can take several. */
const IN_FLIGHT = 256

/** Writes a trace, stops the server, and opens what it stored. */
export function traceLoad(name: string, load: () => WrittenTrace): Load {
  return {
    name,
    describe: ({ trace: { joiners } }) =>
      `one client writes the trace ${load().name} (${load().edits.length} edits) as fast as the server takes them, ` +
      `${IN_FLIGHT} under way at most, another reads it; clean stop and restart; one client opens it, then ${joiners} at once`,
    metrics: [
      {
        key: 'cpu',
        label: 'server CPU per edit, until all is stored and compacted',
        unit: 'µs',
        goal: { timesHocuspocus: 0.5 },
      },
      { key: 'rate', label: 'edits taken', unit: '1/s' },
      { key: 'disk', label: 'on disk after the stop ÷ encoded state', unit: '×', goal: { atMost: 1.5 } },
      { key: 'coldWall', label: 'cold open, wall', unit: 'ms', goal: { timesHocuspocus: 0.6 } },
      { key: 'coldCpu', label: 'cold open, server CPU', unit: 'ms', goal: { timesHocuspocus: 0.6 } },
      { key: 'joinCpu', label: 'joins at once, server CPU of all', unit: 'ms', goal: { timesHocuspocus: 0.35 } },
      { key: 'joinP50', label: 'joins at once, p50', unit: 'ms' },
      ...SURROUNDINGS,
    ],
    run: async (bench) => {
      const trace = load()
      const written = await write(bench, trace)
      const disk = diskUse(bench.dataDirectory) / trace.encodedBytes
      return { ...written, disk, ...(await reopen(bench, trace)) }
    },
  }
}

async function write({ scale, start }: Bench, trace: WrittenTrace): Promise<Figures> {
  const { server, usage } = await start()
  const group = new ClientGroup(server)
  const watch = watchCpu(usage)
  const { received, seconds } = await writeAll(group, server, {
    document: DOCUMENT,
    updates: trace.edits,
    inFlight: IN_FLIGHT,
  })
  const { clients, strangers } = watch()
  expectText(documentFrom(received), trace.text, 'The reader')
  await group.close()
  // What a server puts off until everybody has left (storing, compacting) is part of the price.
  await usage.settle(scale.quietMs)
  const cpuMs = watch().serverMs
  await server.stop()
  return { cpu: (cpuMs * 1000) / trace.edits.length, rate: trace.edits.length / seconds, clients, strangers }
}

async function reopen(bench: Bench, trace: WrittenTrace): Promise<Figures> {
  const subject = await bench.start()
  const opening = { document: DOCUMENT, text: trace.text, encodedBytes: trace.encodedBytes }
  const cold = await joinAtOnce(subject, { ...opening, joiners: 1 })
  const joins = await joinAtOnce(subject, { ...opening, joiners: bench.scale.trace.joiners })
  await subject.server.stop()
  return {
    coldWall: cold.latencies.quantile(0.5),
    coldCpu: cold.cpuMs,
    joinCpu: joins.cpuMs,
    joinP50: joins.latencies.quantile(0.5),
  }
}
