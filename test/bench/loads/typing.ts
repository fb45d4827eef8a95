import { type Client, ClientGroup } from '../clients/client-group.ts'
import { Countdown } from '../clients/countdown.ts'
import { Latencies } from '../clients/latencies.ts'
import { everyInterval, type Planned, type Rhythm, runSchedule } from '../clients/schedule.ts'
import { TypingLedger } from '../clients/typing-ledger.ts'
import { documentFrom, expectText, textOf } from '../content/text.ts'
import { preparedText, type Typist, typist } from '../content/typing.ts'
import type { RunningServer } from '../servers/server.ts'
import { type CpuSpent, watchCpu } from './cpu-watch.ts'
import type { Bench } from './load.ts'

const FIRST_CLIENT_ID = 1_000
const DELIVERY_LIMIT_MS = 60_000
const CONNECTING_AT_ONCE = 50

/** People who type while others look on, the same on each document. */
export interface TypingShape {
  readonly documents: number
  readonly typists: number
  readonly lookers: number
  /** Edits of each typist. */
  readonly perSecond: number
  readonly preparedCharacters: number
  readonly rhythm: Rhythm
}

export interface TypingResult {
  /** Of the server, including what it put off until after the typing. */
  readonly cpuMs: number
  readonly edits: number
  /** Edits times the clients that did not write them. */
  readonly deliveries: number
  readonly latencies: Latencies
  /** While people typed. */
  readonly spent: CpuSpent
}

export async function runTyping({ scale, start }: Bench, shape: TypingShape): Promise<TypingResult> {
  const { server, usage } = await start()
  const group = new ClientGroup(server)
  const edits = shape.documents * shape.typists * scale.seconds * shape.perSecond
  const deliveries = edits * (shape.typists + shape.lookers - 1)
  const latencies = new Latencies()
  const outstanding = new Countdown(deliveries)

  const rooms = Array.from({ length: shape.documents }, (_, index) => {
    return new Room(server, index, shape, scale.seconds, latencies, (count) => outstanding.count(count))
  })
  for (let first = 0; first < rooms.length; first += CONNECTING_AT_ONCE) {
    await Promise.all(rooms.slice(first, first + CONNECTING_AT_ONCE).map((room) => room.fill(group)))
  }
  await usage.settle(scale.quietMs)

  const watch = watchCpu(usage)
  await runSchedule(rooms.flatMap((room) => room.plan(1000 / shape.perSecond, shape.rhythm)))
  await group.wait(DELIVERY_LIMIT_MS, 'every edit to reach every reader', outstanding.done)
  const spent = watch()
  await usage.settle(scale.quietMs)
  const cpuMs = watch().serverMs

  for (const room of rooms) room.verify()
  await group.close()
  await server.stop()
  return { cpuMs, edits, deliveries, latencies, spent }
}

/** One document with its people. */
class Room {
  readonly #server: RunningServer
  readonly #name: string
  readonly #lookers: number
  readonly #base: Uint8Array
  readonly #typists: readonly Typist[]
  readonly #ledger: TypingLedger
  readonly #received: Uint8Array[] = []
  /** At which node the next comes in: those of a room, and the first of all rooms, are at one after the other. */
  #place: number
  #send: ((frame: Uint8Array) => void)[] = []

  constructor(
    server: RunningServer,
    index: number,
    shape: TypingShape,
    seconds: number,
    latencies: Latencies,
    delivered: (edits: number) => void,
  ) {
    this.#server = server
    this.#name = `typing-${index}`
    this.#place = index
    this.#lookers = shape.lookers
    this.#base = preparedText(shape.preparedCharacters)
    this.#typists = Array.from({ length: shape.typists }, (_, index) =>
      typist(FIRST_CLIENT_ID + index, this.#base, seconds * shape.perSecond),
    )
    this.#ledger = new TypingLedger(this.#typists, latencies, delivered)
  }

  async fill(group: ClientGroup): Promise<void> {
    const typing = await Promise.all(
      this.#typists.map(({ clientId }) => this.#join(group, this.#ledger.reader(clientId))),
    )
    this.#send = typing.map((client) => (frame) => client.send(frame))
    this.#send[0]?.(this.#server.dialect.update(this.#name, this.#base))
    const looking = Array.from({ length: this.#lookers }, (_, index) =>
      this.#join(group, index === 0 ? this.#recordingReader() : this.#ledger.reader()),
    )
    await Promise.all(looking)
  }

  /** The edits of all typists. */
  plan(intervalMs: number, rhythm: Rhythm): Planned[] {
    return this.#typists.flatMap((typist, index) => {
      const frames = typist.updates.map((update) => this.#server.dialect.update(this.#name, update))
      return everyInterval(frames, intervalMs, rhythm, (frame, edit) => {
        this.#ledger.sent(typist, edit)
        this.#send[index]?.(frame)
      })
    })
  }

  #join(group: ClientGroup, content: (update: Uint8Array, at: number) => void): Promise<Client> {
    return group.connect(this.#name, { content }, this.#place++)
  }

  verify(): void {
    const written = documentFrom([this.#base, ...this.#typists.flatMap(({ updates }) => updates)])
    expectText(documentFrom(this.#received), textOf(written).toString(), `A reader of "${this.#name}"`)
  }

  #recordingReader(): (update: Uint8Array, at: number) => void {
    const read = this.#ledger.reader()
    return (update, at) => {
      this.#received.push(update)
      read(update, at)
    }
  }
}
