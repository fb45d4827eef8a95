import type { RunningServer } from '../servers/server.ts'
import type { ClientGroup } from './client-group.ts'
import { visitIds } from './structs.ts'

const WRITE_LIMIT_MS = 600_000

/** The updates of one writer, ready to send. */
export interface Writing {
  readonly document: string
  readonly updates: readonly Uint8Array[]
  /** How many updates may be under way between the writer and the reader. */
  readonly inFlight: number
}

export interface Written {
  /** What the reader got. */
  readonly received: readonly Uint8Array[]
  /** From the first update's sending to the last one's arrival. */
  readonly seconds: number
}

/** One client writes and another one reads, as fast as the server takes it, until the reader has everything. */
export async function writeAll(group: ClientGroup, server: RunningServer, writing: Writing): Promise<Written> {
  const { document, updates, inFlight } = writing
  const frames = updates.map((update) => server.dialect.update(document, update))
  const totals = insertedAfterEach(updates)
  const received: Uint8Array[] = []
  const arrived = new Progress()
  await group.connect(document, {
    content: (update) => {
      received.push(update)
      visitIds(update, (client, _, to) => arrived.advance(client, to))
    },
  })
  const writer = await group.connect(document)
  const all = async (): Promise<void> => {
    for (const [index, frame] of frames.entries()) {
      await arrived.reach(totals[index - inFlight] ?? 0)
      writer.send(frame)
    }
    await arrived.reach(totals.at(-1) ?? 0)
  }
  const start = performance.now()
  await group.wait(WRITE_LIMIT_MS, `the writing of "${document}"`, all())
  return { received, seconds: (performance.now() - start) / 1000 }
}

/** How much is inserted once each of the updates, in order, has been taken. */
function insertedAfterEach(updates: readonly Uint8Array[]): number[] {
  const progress = new Progress()
  return updates.map((update) => {
    visitIds(update, (client, _, to) => progress.advance(client, to))
    return progress.total
  })
}

/** How much of all clients' insertions has arrived. */
class Progress {
  readonly #clocks = new Map<number, number>()
  #total = 0
  #waiting: { total: number; resolve: () => void } | undefined

  get total(): number {
    return this.#total
  }

  advance(client: number, clock: number): void {
    const known = this.#clocks.get(client) ?? 0
    if (clock <= known) return
    this.#clocks.set(client, clock)
    this.#total += clock - known
    if (!this.#waiting || this.#total < this.#waiting.total) return
    this.#waiting.resolve()
    this.#waiting = undefined
  }

  /** One at a time may wait. */
  async reach(total: number): Promise<void> {
    if (this.#total >= total) return
    await new Promise<void>((resolve) => {
      this.#waiting = { total, resolve }
    })
  }
}
