import { type Client, ClientGroup } from '../clients/client-group.ts'
import { everyInterval, independent, type Planned, runSchedule } from '../clients/schedule.ts'
import { Stretch } from '../clients/stretch.ts'
import { TypingLedger } from '../clients/typing-ledger.ts'
import { documentFrom, expectText, textOf } from '../content/text.ts'
import { preparedText, type Typist, typist } from '../content/typing.ts'
import type { RunningServer } from '../servers/server.ts'
import { SURROUNDINGS, watchCpu } from './cpu-watch.ts'
import type { Load } from './load.ts'

const DOCUMENT = 'hot'
const FIRST_CLIENT_ID = 1_000
const CONNECTING_AT_ONCE = 50
const LIMIT_MS = 60_000

/** How long it takes until an edit is durable when many write to the same document at each of several nodes. */
export function hot(nodes: number): Load {
  return {
    name: 'hot',
    nodes,
    describe: ({ seconds, hot: { writersEach, perSecond } }) =>
      `${writersEach} clients at each of ${nodes} nodes write to one document ${perSecond}/s for ${seconds} s and are told when that is durable; one more at each node reads`,
    metrics: [
      { key: 'cpu', label: 'server CPU per update', unit: 'µs' },
      { key: 'p50', label: 'durable after, p50', unit: 'ms' },
      { key: 'p99', label: 'durable after, p99', unit: 'ms', ...(nodes === 4 && { goal: { atMost: 100 } }) },
      { key: 'shown', label: 'shown after, p99', unit: 'ms' },
      ...SURROUNDINGS,
    ],
    run: async ({ scale, start }) => {
      const { server, usage } = await start()
      const group = new ClientGroup(server)
      const { writersEach, perSecond } = scale.hot
      const warmUpEdits = scale.warmUpSeconds * perSecond
      const editsEach = warmUpEdits + scale.seconds * perSecond
      const crowd = new Crowd(server, nodes * writersEach, editsEach)
      await crowd.join(group)
      // A node that does not have yet what an edit builds on would ask its writer for that.
      await usage.settle(scale.quietMs)
      await write(0, warmUpEdits)
      await usage.settle(scale.quietMs)

      const watch = watchCpu(usage)
      await write(warmUpEdits, editsEach)
      const { clients, strangers } = watch()
      await usage.settle(scale.quietMs)
      const cpuMs = watch().serverMs

      crowd.verify()
      await group.close()
      await server.stop()
      return {
        cpu: (cpuMs * 1000) / (nodes * writersEach * (editsEach - warmUpEdits)),
        p50: crowd.durable.latencies.quantile(0.5),
        p99: crowd.durable.latencies.quantile(0.99),
        shown: crowd.shown.latencies.quantile(0.99),
        clients,
        strangers,
      }

      /** Has each writer send these of its edits, until all are durable and read at each node. */
      async function write(from: number, to: number): Promise<void> {
        const done = crowd.begin(to - from)
        await runSchedule(crowd.plan(from, to, 1000 / perSecond))
        await group.wait(LIMIT_MS, 'every edit to be durable and read', done)
      }
    },
  }
}

/** Many who write to one document, at one node after the other, and somebody at each node who reads. */
class Crowd {
  /** From sending to the acknowledgement. */
  readonly durable = new Stretch()
  /** From sending to the arrival at those who read. */
  readonly shown = new Stretch()
  readonly #server: RunningServer
  readonly #base = preparedText(5_000)
  readonly #writers: readonly Writer[]
  readonly #ledger: TypingLedger
  readonly #received: Uint8Array[] = []

  constructor(server: RunningServer, writers: number, editsEach: number) {
    this.#server = server
    this.#writers = Array.from({ length: writers }, (_, index) => {
      return new Writer(typist(FIRST_CLIENT_ID + index, this.#base, editsEach), this.durable)
    })
    const typists = this.#writers.map(({ typist }) => typist)
    this.#ledger = new TypingLedger(typists, this.shown)
  }

  /** Measures anew; resolves when so many edits of each writer are durable and read at each node. */
  begin(editsEach: number): Promise<unknown> {
    const edits = this.#writers.length * editsEach
    return Promise.all([this.durable.begin(edits), this.shown.begin(edits * this.#server.urls.length)])
  }

  async join(group: ClientGroup): Promise<void> {
    for (let first = 0; first < this.#writers.length; first += CONNECTING_AT_ONCE) {
      const some = this.#writers.slice(first, first + CONNECTING_AT_ONCE)
      await Promise.all(some.map((writer, index) => writer.join(group, first + index)))
    }
    this.#writers[0]?.prepare(this.#server.dialect.update(DOCUMENT, this.#base))
    for (const node of this.#server.urls.keys()) await group.connect(DOCUMENT, { content: this.#reader(node) }, node)
  }

  /** The edits of all writers from one number to another. */
  plan(from: number, to: number, intervalMs: number): Planned[] {
    const rhythm = independent(1)
    return this.#writers.flatMap((writer) => {
      const frames = writer.typist.updates
        .slice(from, to)
        .map((update) => this.#server.dialect.update(DOCUMENT, update))
      return everyInterval(frames, intervalMs, rhythm, (frame, edit) => {
        this.#ledger.sent(writer.typist, from + edit)
        writer.type(frame)
      })
    })
  }

  verify(): void {
    const updates = this.#writers.flatMap(({ typist }) => typist.updates)
    const written = textOf(documentFrom([this.#base, ...updates])).toString()
    expectText(documentFrom(this.#received), written, 'Who reads at the first node')
  }

  #reader(node: number): (update: Uint8Array, at: number) => void {
    const read = this.#ledger.reader()
    return (update, at) => {
      if (node === 0) this.#received.push(update)
      read(update, at)
    }
  }
}

/** Somebody who is told when each of their edits is durable, and looks at nothing else. */
class Writer {
  readonly typist: Typist
  readonly #durable: Stretch
  /** When the edits were sent, by the place among the messages that count: the answer to the server's Step1 is the first. */
  readonly #sentAt: (number | undefined)[] = [undefined]
  #acknowledged = 0
  #client: Client | undefined

  constructor(who: Typist, durable: Stretch) {
    this.typist = who
    this.#durable = durable
  }

  async join(group: ClientGroup, place: number): Promise<void> {
    const acknowledged = (messages: number, at: number): void => this.#acknowledge(messages, at)
    this.#client = await group.connect(DOCUMENT, { acknowledged }, place)
  }

  /** Sends what is not measured. */
  prepare(frame: Uint8Array): void {
    this.#sentAt.push(undefined)
    this.#client?.send(frame)
  }

  type(frame: Uint8Array): void {
    this.#sentAt.push(performance.now())
    this.#client?.send(frame)
  }

  #acknowledge(messages: number, at: number): void {
    if (messages > this.#sentAt.length)
      throw new Error(`${messages} messages were acknowledged of ${this.#sentAt.length}.`)
    for (; this.#acknowledged < messages; this.#acknowledged++) {
      const sentAt = this.#sentAt[this.#acknowledged]
      if (sentAt === undefined) continue
      this.#durable.seen(at - sentAt)
      this.#durable.delivered(1)
    }
  }
}
