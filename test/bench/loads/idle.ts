import { setTimeout as sleep } from 'node:timers/promises'
import { type Client, ClientGroup } from '../clients/client-group.ts'
import { Countdown } from '../clients/countdown.ts'
import { visitIds } from '../clients/structs.ts'
import { preparedText } from '../content/typing.ts'
import type { Load } from './load.ts'
import { requireOpenFiles } from './open-files.ts'

const CONNECTING_AT_ONCE = 100
const SPARE_FILES = 500
const DELIVERY_LIMIT_MS = 60_000

export const idle: Load = {
  name: 'idle',
  describe: ({ idle: { connections, documents, restSeconds } }) =>
    `${connections} connections that do nothing on ${documents} empty documents, memory ${restSeconds} s after the ` +
    `start and ${restSeconds} s after the last, when V8 has given back what connecting took; ` +
    'then one of each document writes to all others on it',
  metrics: [{ key: 'kib', label: 'resident memory per connection', unit: 'KiB', goal: { atMost: 10 } }],
  run: async ({ scale, start }) => {
    const { connections, documents, restSeconds } = scale.idle
    requireOpenFiles(connections + SPARE_FILES)
    const { server, usage } = await start()
    await sleep(restSeconds * 1000)
    const before = usage.memory().residentKiB
    const group = new ClientGroup(server)
    const text = preparedText(1)
    const deliveries = new Countdown(connections - documents)
    const countText = (update: Uint8Array): void => visitIds(update, () => deliveries.count())
    const writers: { document: string; client: Client }[] = []

    const connect = async (index: number): Promise<void> => {
      const document = `idle-${index % documents}`
      const writes = index < documents
      const client = await group.connect(document, writes ? {} : { content: countText })
      if (writes) writers.push({ document, client })
    }
    for (let first = 0; first < connections; first += CONNECTING_AT_ONCE) {
      const indices = Array.from({ length: Math.min(CONNECTING_AT_ONCE, connections - first) }, (_, i) => first + i)
      await Promise.all(indices.map(connect))
    }
    await sleep(restSeconds * 1000)
    const kib = (usage.memory().residentKiB - before) / connections

    for (const { document, client } of writers) client.send(server.dialect.update(document, text))
    await group.wait(DELIVERY_LIMIT_MS, 'a text at every connection', deliveries.done)
    await group.close()
    await server.stop()
    return { kib }
  },
}
