import { type Client, ClientGroup } from '../bench/clients/client-group.ts'
import { Countdown } from '../bench/clients/countdown.ts'
import { Latencies } from '../bench/clients/latencies.ts'
import { everyInterval, independent, runSchedule } from '../bench/clients/schedule.ts'
import { visitIds } from '../bench/clients/structs.ts'
import { TypingLedger } from '../bench/clients/typing-ledger.ts'
import { yWebsocketDialect as dialect } from '../bench/clients/y-websocket-dialect.ts'
import { documentFrom, recordUpdates, textOf } from '../bench/content/text.ts'
import { preparedText, type Typist, typist } from '../bench/content/typing.ts'
import type { ServerProcess } from '../support/process.ts'

const DOCUMENT = 'read by many'
const FIRST_TYPIST_ID = 1_000
const TYPISTS = 10
const EDITS_PER_SECOND = 2
const CONNECTING_AT_ONCE = 50
const LIMIT_MS = 60_000

export interface AudienceOptions {
  readonly server: ServerProcess
  /** How many look on, of which `stopping` will stop reading. */
  readonly readers: number
  readonly stopping: number
  /** How long people type. */
  readonly seconds: number
}

/** A few people who type in one document, and many who look on, some of which stop reading. */
export class Audience {
  readonly #group: ClientGroup
  readonly #options: AudienceOptions
  readonly #base = preparedText(5_000)
  readonly #typists: readonly Typist[]
  readonly #latencies = new Latencies()
  readonly #ledger: TypingLedger
  readonly #typed: Countdown
  readonly #stopping: Reader[] = []
  #writers: Client[] = []
  #pasted = new Countdown(0)
  #pastes: Uint8Array[] = []
  #frames = 0

  constructor(options: AudienceOptions) {
    const { server, readers, stopping, seconds } = options
    const url = server.url.replace(/^http/, 'ws').replace(/\/$/, '')
    const { pid } = server
    const end = async () => void (await server.kill())
    this.#options = options
    this.#group = new ClientGroup({ urls: [url], pids: [pid], dialect, stop: end, kill: end })
    const edits = seconds * EDITS_PER_SECOND
    this.#typists = Array.from({ length: TYPISTS }, (_, index) => typist(FIRST_TYPIST_ID + index, this.#base, edits))
    this.#typed = new Countdown(TYPISTS * edits * (readers - stopping))
    this.#ledger = new TypingLedger(this.#typists, {
      seen: (ms) => this.#latencies.add(ms),
      delivered: (edits) => this.#typed.count(edits),
    })
  }

  /** Of the edits, from typing to those who read on; in milliseconds. */
  get p99(): number {
    return this.#latencies.quantile(0.99)
  }

  /** Updates that one of those who read on got, and the most that one of those who stopped did. */
  get frames(): { readonly reading: number; readonly stopping: number } {
    return { reading: this.#frames, stopping: Math.max(...this.#stopping.map(({ received }) => received.length)) }
  }

  async connect(): Promise<void> {
    const { readers, stopping } = this.#options
    this.#writers = await Promise.all(this.#typists.map(() => this.#group.connect(DOCUMENT)))
    this.#writers[0].send(dialect.update(DOCUMENT, this.#base))
    for (let first = 0; first < readers; first += CONNECTING_AT_ONCE) {
      const indices = Array.from({ length: Math.min(CONNECTING_AT_ONCE, readers - first) }, (_, index) => first + index)
      await Promise.all(indices.map((index) => (index < stopping ? this.#joinStopping() : this.#joinReading(index))))
    }
    this.#frames = 0
    for (const reader of this.#stopping) reader.received.length = 0
  }

  stop(): void {
    for (const { client } of this.#stopping) client?.pause()
  }

  /** Inserts a large text piece by piece, each when everybody who reads has the last one. */
  async paste(pieces: number, bytes: number): Promise<void> {
    const document = documentFrom([this.#base])
    const piece = 'pasted, '.repeat(bytes / 8)
    this.#pastes = recordUpdates(document, () => {
      for (let index = 0; index < pieces; index++) textOf(document).insert(0, piece)
    })
    for (const update of this.#pastes) {
      this.#pasted = new Countdown(this.#options.readers - this.#options.stopping)
      this.#writers[0].send(dialect.update(DOCUMENT, update))
      await this.#group.wait(LIMIT_MS, 'a paste to reach all who read', this.#pasted.done)
    }
  }

  async type(): Promise<void> {
    const rhythm = independent(1)
    const plan = this.#typists.flatMap((typist, writer) =>
      everyInterval(typist.updates, 1_000 / EDITS_PER_SECOND, rhythm, (update, edit) => {
        this.#ledger.sent(typist, edit)
        this.#writers[writer].send(dialect.update(DOCUMENT, update))
      }),
    )
    await runSchedule(plan)
    await this.#group.wait(LIMIT_MS, 'every edit to reach all who read', this.#typed.done)
  }

  /** Has those read on who stopped, and resolves when each has got everything. */
  async catchUp(): Promise<void> {
    const expected = new Map<number, number>()
    for (const update of [...this.#pastes, ...this.#typists.flatMap(({ updates }) => updates)]) {
      visitIds(update, (client, _, to) => expected.set(client, Math.max(to, expected.get(client) ?? 0)))
    }
    const all = this.#stopping.map((reader) => reader.has(expected))
    for (const { client } of this.#stopping) client?.resume()
    await this.#group.wait(LIMIT_MS, 'those who stopped to catch up', Promise.all(all))
  }

  close(): Promise<void> {
    return this.#group.close()
  }

  async #joinReading(index: number): Promise<void> {
    const read = this.#ledger.reader()
    const isLast = index === this.#options.readers - 1
    await this.#group.connect(DOCUMENT, {
      content: (update, at) => {
        if (isLast) this.#frames++
        // To read each paste for each reader would take longer than to send it.
        if (update.length > 64 * 1024) this.#pasted.count()
        else read(update, at)
      },
    })
  }

  async #joinStopping(): Promise<void> {
    const reader = new Reader()
    this.#stopping.push(reader)
    reader.client = await this.#group.connect(DOCUMENT, { content: (update) => reader.take(update) })
  }
}

/** Somebody who keeps what arrives. */
class Reader {
  client: Client | undefined
  readonly received: Uint8Array[] = []
  readonly #clocks = new Map<number, number>()
  #look: () => void = () => undefined

  take(update: Uint8Array): void {
    this.received.push(update)
    visitIds(update, (client, from, to) => {
      const known = this.#clocks.get(client) ?? 0
      if (from > known) throw new Error(`Edits ${known} to ${from - 1} of client ${client} were left out.`)
      this.#clocks.set(client, Math.max(known, to))
    })
    this.#look()
  }

  /** Resolves when the clock of each client has got so far. */
  has(expected: ReadonlyMap<number, number>): Promise<void> {
    return new Promise((resolve) => {
      this.#look = () => {
        if ([...expected].every(([client, clock]) => (this.#clocks.get(client) ?? 0) >= clock)) resolve()
      }
      this.#look()
    })
  }
}
