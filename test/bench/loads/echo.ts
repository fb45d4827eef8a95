import { ClientGroup } from '../clients/client-group.ts'
import { Countdown } from '../clients/countdown.ts'
import { Latencies } from '../clients/latencies.ts'
import { documentFrom, expectText, textOf } from '../content/text.ts'
import { preparedText, type Typist, typist } from '../content/typing.ts'
import type { RunningServer } from '../servers/server.ts'
import { SURROUNDINGS, watchCpu } from './cpu-watch.ts'
import type { Load } from './load.ts'

const CLIENT_ID = 1_000
const LIMIT_MS = 120_000
const EMPTY = preparedText(0)

/** How fast the server makes edits durable: as many are under way as there are clients, and nobody else reads. */
export const echo: Load = {
  name: 'echo',
  describe: ({ echo: { clients, roundTrips } }) =>
    `${clients} clients, each on a document of its own, send an update, wait until it is acknowledged as durable, and send the next, ${roundTrips} each`,
  metrics: [
    { key: 'cpu', label: 'server CPU per durable round trip', unit: 'µs', goal: { atMost: 45 } },
    { key: 'rate', label: 'durable round trips', unit: '1/s', goal: { atLeast: 9_000 } },
    { key: 'p50', label: 'latency p50', unit: 'ms' },
    { key: 'p99', label: 'latency p99', unit: 'ms' },
    ...SURROUNDINGS,
  ],
  run: async ({ scale, start }) => {
    const { server, usage } = await start()
    const { clients, warmUp, roundTrips } = scale.echo
    const group = new ClientGroup(server)
    const callers = Array.from({ length: clients }, (_, index) => new Caller(`echo-${index}`, warmUp + roundTrips))
    await Promise.all(callers.map((caller) => caller.connect(group, server)))
    await call(warmUp)
    await usage.settle(scale.quietMs)

    const watch = watchCpu(usage)
    const latencies = await call(roundTrips)
    const spent = watch()
    await usage.settle(scale.quietMs)
    const cpuMs = watch().serverMs

    await Promise.all(callers.map((caller) => caller.verify(group)))
    await group.close()
    await server.stop()
    return {
      cpu: (cpuMs * 1000) / (clients * roundTrips),
      rate: (clients * roundTrips) / spent.seconds,
      p50: latencies.quantile(0.5),
      p99: latencies.quantile(0.99),
      clients: spent.clients,
      strangers: spent.strangers,
    }

    /** Has each client make so many round trips. */
    async function call(times: number): Promise<Latencies> {
      const latencies = new Latencies()
      const outstanding = new Countdown(clients)
      for (const caller of callers) {
        caller.call(
          times,
          (ms) => latencies.add(ms),
          () => outstanding.count(),
        )
      }
      await group.wait(LIMIT_MS, 'every acknowledgement', outstanding.done)
      return latencies
    }
  },
}

/** One client of a document, which has one update under way at a time. */
class Caller {
  readonly #document: string
  readonly #typist: Typist
  #frames: readonly Uint8Array[] = []
  #sent = 0
  #send: (frame: Uint8Array) => void = () => undefined
  #acknowledged: (messages: number, at: number) => void = () => undefined

  constructor(document: string, roundTrips: number) {
    this.#document = document
    this.#typist = typist(CLIENT_ID, EMPTY, roundTrips)
  }

  /** Resolves once the server has acknowledged the client's answer to its Step1, which is the first message that counts. */
  async connect(group: ClientGroup, server: RunningServer): Promise<void> {
    this.#frames = this.#typist.updates.map((update) => server.dialect.update(this.#document, update))
    const answered = new Promise<void>((resolve) => {
      this.#acknowledged = () => resolve()
    })
    const { send } = await group.connect(this.#document, {
      acknowledged: (messages, at) => this.#acknowledged(messages, at),
    })
    this.#send = send
    await group.wait(LIMIT_MS, `an acknowledgement in "${this.#document}"`, answered)
  }

  /** Sends the next updates, each when the one before is durable. */
  call(times: number, roundTrip: (ms: number) => void, done: () => void): void {
    const last = this.#sent + times
    let sentAt = 0
    const next = (): void => {
      const frame = this.#frames[this.#sent]
      if (!frame || this.#sent === last) {
        done()
        return
      }
      this.#sent += 1
      sentAt = performance.now()
      this.#send(frame)
    }
    this.#acknowledged = (messages, at) => {
      if (messages !== this.#sent + 1) {
        throw new Error(`${messages} messages were acknowledged of ${this.#sent + 1} sent.`)
      }
      roundTrip(at - sentAt)
      next()
    }
    next()
  }

  async verify(group: ClientGroup): Promise<void> {
    const received: Uint8Array[] = []
    await group.connect(this.#document, { content: (update) => received.push(update) })
    const written = textOf(documentFrom(this.#typist.updates)).toString()
    expectText(documentFrom(received), written, `Who opens "${this.#document}"`)
  }
}
