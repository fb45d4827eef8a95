import { type Client, ClientGroup } from '../clients/client-group.ts'
import { Countdown } from '../clients/countdown.ts'
import { Latencies } from '../clients/latencies.ts'
import { everyInterval, independent, type Planned, runSchedule } from '../clients/schedule.ts'
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
      const crowd = new Crowd(server, nodes * scale.hot.writersEach, scale.seconds * scale.hot.perSecond)
      await crowd.join(group)
      await usage.settle(scale.quietMs)

      const watch = watchCpu(usage)
      await runSchedule(crowd.plan(1000 / scale.hot.perSecond))
      await group.wait(LIMIT_MS, 'every edit to be durable and read', crowd.done)
      const { clients, strangers } = watch()
      await usage.settle(scale.quietMs)
      const cpuMs = watch().serverMs

      crowd.verify()
      await group.close()
      await server.stop()
      return {
        cpu: (cpuMs * 1000) / crowd.edits,
        p50: crowd.durable.quantile(0.5),
        p99: crowd.durable.quantile(0.99),
        shown: crowd.shown.quantile(0.99),
        clients,
        strangers,
      }
    },
  }
}

/** Many who write to one document, at one node after the other, and somebody at each node who reads. */
class Crowd {
  readonly edits: number
  /** From sending to the acknowledgement. */
  readonly durable = new Latencies()
  /** From sending to the arrival at those who read. */
  readonly shown = new Latencies()
  readonly #server: RunningServer
  readonly #base = preparedText(5_000)
  readonly #writers: readonly Writer[]
  readonly #ledger: TypingLedger
  readonly #unacknowledged: Countdown
  readonly #unread: Countdown
  readonly #received: Uint8Array[] = []

  constructor(server: RunningServer, writers: number, editsEach: number) {
    this.#server = server
    this.edits = writers * editsEach
    this.#unacknowledged = new Countdown(this.edits)
    this.#unread = new Countdown(this.edits * server.urls.length)
    this.#writers = Array.from({ length: writers }, (_, index) => {
      const who = typist(FIRST_CLIENT_ID + index, this.#base, editsEach)
      return new Writer(who, (ms) => {
        this.durable.add(ms)
        this.#unacknowledged.count()
      })
    })
    const typists = this.#writers.map(({ typist }) => typist)
    this.#ledger = new TypingLedger(typists, {
      seen: (ms) => this.shown.add(ms),
      delivered: (edits) => this.#unread.count(edits),
    })
  }

  /** Resolves when every edit is durable and read at each node. */
  get done(): Promise<unknown> {
    return Promise.all([this.#unacknowledged.done, this.#unread.done])
  }

  async join(group: ClientGroup): Promise<void> {
    for (let first = 0; first < this.#writers.length; first += CONNECTING_AT_ONCE) {
      const some = this.#writers.slice(first, first + CONNECTING_AT_ONCE)
      await Promise.all(some.map((writer, index) => writer.join(group, first + index)))
    }
    this.#writers[0]?.prepare(this.#server.dialect.update(DOCUMENT, this.#base))
    for (const node of this.#server.urls.keys()) await group.connect(DOCUMENT, { content: this.#reader(node) }, node)
  }

  plan(intervalMs: number): Planned[] {
    const rhythm = independent(1)
    return this.#writers.flatMap((writer) => {
      const frames = writer.typist.updates.map((update) => this.#server.dialect.update(DOCUMENT, update))
      return everyInterval(frames, intervalMs, rhythm, (frame, edit) => {
        this.#ledger.sent(writer.typist, edit)
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
  readonly #durable: (ms: number) => void
  /** When the edits were sent, by the place among the messages that count: the answer to the server's Step1 is the first. */
  readonly #sentAt: (number | undefined)[] = [undefined]
  #acknowledged = 0
  #client: Client | undefined

  /** `durable` is told of each edit how many milliseconds that took. */
  constructor(who: Typist, durable: (ms: number) => void) {
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
      if (sentAt !== undefined) this.#durable(at - sentAt)
    }
  }
}
