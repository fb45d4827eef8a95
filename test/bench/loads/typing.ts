import { type Client, ClientGroup } from '../clients/client-group.ts'
import type { Latencies } from '../clients/latencies.ts'
import { everyInterval, type Planned, type Rhythm, runSchedule } from '../clients/schedule.ts'
import { Stretch } from '../clients/stretch.ts'
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
  /** How much of that is of what the nodes share. */
  readonly backingMs: number
  readonly edits: number
  /** Edits times the clients that did not write them. */
  readonly deliveries: number
  readonly latencies: Latencies
  /** While people typed. */
  readonly spent: CpuSpent
}

export async function runTyping({ scale, start }: Bench, shape: TypingShape): Promise<TypingResult> {
  const { server, usage, backing } = await start()
  const group = new ClientGroup(server)
  const warmUpEdits = scale.warmUpSeconds * shape.perSecond
  const editsEach = warmUpEdits + scale.seconds * shape.perSecond
  const stretch = new Stretch()

  const rooms = Array.from({ length: shape.documents }, (_, index) => {
    return new Room(server, index, shape, editsEach, stretch)
  })
  for (let first = 0; first < rooms.length; first += CONNECTING_AT_ONCE) {
    await Promise.all(rooms.slice(first, first + CONNECTING_AT_ONCE).map((room) => room.fill(group)))
  }
  // A node that does not have yet what an edit builds on would ask its typist for that.
  await usage.settle(scale.quietMs)
  await type(0, warmUpEdits)
  await usage.settle(scale.quietMs)

  const watch = watchCpu(usage)
  const backingBefore = backing?.cpuMs() ?? 0
  const deliveries = await type(warmUpEdits, editsEach)
  const spent = watch()
  const { latencies } = stretch
  await usage.settle(scale.quietMs)
  const cpuMs = watch().serverMs
  const backingMs = (backing?.cpuMs() ?? 0) - backingBefore

  for (const room of rooms) room.verify()
  await group.close()
  await server.stop()
  const edits = shape.documents * shape.typists * (editsEach - warmUpEdits)
  return { cpuMs, backingMs, edits, deliveries, latencies, spent }

  /** Has each typist send these of its edits; resolves with the number of deliveries, once they are made. */
  async function type(from: number, to: number): Promise<number> {
    const expected = shape.documents * shape.typists * (to - from) * (shape.typists + shape.lookers - 1)
    const delivered = stretch.begin(expected)
    await runSchedule(rooms.flatMap((room) => room.plan(from, to, 1000 / shape.perSecond, shape.rhythm)))
    await group.wait(DELIVERY_LIMIT_MS, 'every edit to reach every reader', delivered)
    return expected
  }
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

  constructor(server: RunningServer, index: number, shape: TypingShape, editsEach: number, stretch: Stretch) {
    this.#server = server
    this.#name = `typing-${index}`
    this.#place = index
    this.#lookers = shape.lookers
    this.#base = preparedText(shape.preparedCharacters)
    this.#typists = Array.from({ length: shape.typists }, (_, index) =>
      typist(FIRST_CLIENT_ID + index, this.#base, editsEach),
    )
    this.#ledger = new TypingLedger(this.#typists, stretch)
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

  /** The edits of all typists from one number to another. */
  plan(from: number, to: number, intervalMs: number, rhythm: Rhythm): Planned[] {
    return this.#typists.flatMap((typist, index) => {
      const frames = typist.updates.slice(from, to).map((update) => this.#server.dialect.update(this.#name, update))
      return everyInterval(frames, intervalMs, rhythm, (frame, edit) => {
        this.#ledger.sent(typist, from + edit)
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
