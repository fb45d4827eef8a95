import { ClientGroup } from '../clients/client-group.ts'
import { writeAll } from '../clients/writing.ts'
import type { BigDocument } from '../content/big-document.ts'
import { documentFrom, expectText } from '../content/text.ts'
import { SURROUNDINGS } from './cpu-watch.ts'
import { joinAtOnce } from './joining.ts'
import type { Bench, Figures, Load } from './load.ts'

const DOCUMENT = 'big'
const IN_FLIGHT = 8
const KIB_PER_MIB = 1024

/** `write` returns the document. */
export function bigLoad(write: () => BigDocument): Load {
  return {
    name: 'big',
    describe: ({ big: { bytes, joiners } }) =>
      `a document of ${(bytes / 1e6).toFixed(1)} MB is written, then ${joiners} clients join at once, and again after a restart`,
    metrics: [
      { key: 'p50', label: 'joins at once, p50', unit: 'ms', goal: { atMost: 3_000 } },
      { key: 'max', label: 'joins at once, slowest', unit: 'ms' },
      { key: 'cpu', label: 'joins at once, server CPU of all', unit: 'ms' },
      { key: 'peak', label: 'joins at once, peak memory', unit: 'MiB', goal: { atMost: 600 } },
      { key: 'writePeak', label: 'while it is written, peak memory', unit: 'MiB' },
      { key: 'coldP50', label: 'joins after a restart, p50', unit: 'ms', goal: { atMost: 3_000 } },
      { key: 'coldPeak', label: 'joins after a restart, peak memory', unit: 'MiB', goal: { atMost: 600 } },
      ...SURROUNDINGS,
    ],
    run: async (bench) => {
      const document = write()
      return { ...(await writeAndJoin(bench, document)), ...(await rejoin(bench, document)) }
    },
  }
}

async function writeAndJoin({ start, scale }: Bench, { updates, text, encodedBytes }: BigDocument): Promise<Figures> {
  const subject = await start()
  const { server, usage } = subject
  const group = new ClientGroup(server)
  const { received } = await writeAll(group, server, { document: DOCUMENT, updates, inFlight: IN_FLIGHT })
  expectText(documentFrom(received), text, 'The reader')
  await usage.settle(scale.quietMs)
  const writePeak = usage.memory().peakKiB / KIB_PER_MIB
  usage.resetPeak()

  const joins = await joinAtOnce(subject, { document: DOCUMENT, text, encodedBytes, joiners: scale.big.joiners })
  const peak = usage.memory().peakKiB / KIB_PER_MIB
  await group.close()
  await usage.settle(scale.quietMs)
  await server.stop()
  return {
    p50: joins.latencies.quantile(0.5),
    max: joins.latencies.quantile(1),
    cpu: joins.cpuMs,
    clients: joins.spent.clients,
    strangers: joins.spent.strangers,
    peak,
    writePeak,
  }
}

async function rejoin({ start, scale }: Bench, { text, encodedBytes }: BigDocument): Promise<Figures> {
  const subject = await start()
  const joins = await joinAtOnce(subject, { document: DOCUMENT, text, encodedBytes, joiners: scale.big.joiners })
  const coldPeak = subject.usage.memory().peakKiB / KIB_PER_MIB
  await subject.server.stop()
  return { coldP50: joins.latencies.quantile(0.5), coldPeak }
}
