import { ClientGroup } from '../clients/client-group.ts'
import { Countdown } from '../clients/countdown.ts'
import { Latencies } from '../clients/latencies.ts'
import { everyInterval, independent, runSchedule } from '../clients/schedule.ts'
import { cursorUpdate, visitCursors } from '../content/cursors.ts'
import { SURROUNDINGS, watchCpu } from './cpu-watch.ts'
import type { Load } from './load.ts'

const DOCUMENT = 'presence'
const FIRST_CLIENT_ID = 1_000
const CONNECTING_AT_ONCE = 50
const LAST_MOVE_LIMIT_MS = 30_000

export const presence: Load = {
  name: 'presence',
  describe: ({ seconds, presence: { users } }) =>
    `${users} users on one document, each moving its cursor once a second for ${seconds} s`,
  metrics: [
    { key: 'share', label: 'server CPU', unit: 'cores', goal: { atMost: 0.15 } },
    { key: 'p50', label: 'latency of the moves shown, p50', unit: 'ms' },
    { key: 'p99', label: 'latency of the moves shown, p99', unit: 'ms' },
    ...SURROUNDINGS,
  ],
  run: async ({ scale: { presence, quietMs, seconds }, start }) => {
    const { server, usage } = await start()
    const group = new ClientGroup(server)
    const moves = new Moves(presence.users, seconds)
    const users = Array.from({ length: presence.users }, (_, index) => index)
    const sends: ((move: number) => void)[] = []
    const connect = async (user: number): Promise<void> => {
      const client = await group.connect(DOCUMENT, { awareness: moves.watcher(user) })
      sends[user] = (move) => client.send(server.dialect.awareness(DOCUMENT, moves.make(user, move)))
      sends[user](0)
    }
    for (let first = 0; first < users.length; first += CONNECTING_AT_ONCE) {
      await Promise.all(users.slice(first, first + CONNECTING_AT_ONCE).map(connect))
    }
    await usage.settle(quietMs)

    const watch = watchCpu(usage)
    const rhythm = independent(1)
    const numbers = Array.from({ length: seconds }, (_, index) => index + 1)
    await runSchedule(users.flatMap((user) => everyInterval(numbers, 1000, rhythm, (move) => sends[user]?.(move))))
    await group.wait(LAST_MOVE_LIMIT_MS, "everybody's last move at everybody else", moves.lastShown)
    const { serverMs, seconds: elapsed, clients, strangers } = watch()
    await group.close()
    await server.stop()
    return {
      share: serverMs / 1000 / elapsed,
      p50: moves.latencies.quantile(0.5),
      p99: moves.latencies.quantile(0.99),
      clients,
      strangers,
    }
  },
}

/** When each move was made, and who has seen which. A server may leave out moves that a later one replaces. */
class Moves {
  readonly latencies = new Latencies()
  readonly #users: number
  readonly #last: number
  readonly #madeAt: Float64Array
  /** The last clock of each user. */
  readonly #clocks: Uint32Array
  readonly #outstanding: Countdown

  /** Move 0 announces a user, moves 1 to `last` count. */
  constructor(users: number, last: number) {
    this.#users = users
    this.#last = last
    this.#madeAt = new Float64Array(users * (last + 1))
    this.#clocks = new Uint32Array(users)
    this.#outstanding = new Countdown(users * (users - 1))
  }

  /** Resolves once everybody has seen everybody else's last move. */
  get lastShown(): Promise<void> {
    return this.#outstanding.done
  }

  make(user: number, move: number): Uint8Array {
    this.#madeAt[move * this.#users + user] = performance.now()
    const clock = (this.#clocks[user] ?? 0) + 1
    this.#clocks[user] = clock
    return cursorUpdate(FIRST_CLIENT_ID + user, clock, move)
  }

  /** What one user does with the presence it is told of. */
  watcher(self: number): (update: Uint8Array, at: number) => void {
    const shown = new Uint32Array(this.#users)
    return (update, at) => {
      visitCursors(update, ({ clientId, clock, move }) => {
        const user = clientId - FIRST_CLIENT_ID
        // Told that they are gone, clients announce themselves with the next clock. That costs this load one clock here.
        if (user === self && move === undefined) this.#clocks[user] = Math.max(this.#clocks[user] ?? 0, clock + 1)
        if (user === self || move === undefined || move <= (shown[user] ?? 0)) return
        shown[user] = move
        this.latencies.add(at - (this.#madeAt[move * this.#users + user] ?? Number.NaN))
        if (move === this.#last) this.#outstanding.count()
      })
    }
  }
}
