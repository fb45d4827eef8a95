import { randomUUID } from 'node:crypto'
import type { Socket } from 'node:net'
import type { Client } from 'pg'
import type { Clock } from '../../common/timing.ts'
import { invalidUrl, type Target, withSocket } from './target.ts'
import { type IsAtWork, watchAnswer } from './watch.ts'

/** Milliseconds without a byte of the answer after which a connection is given up: its other end may be gone. */
const SILENCE_MS = 10_000
/** Milliseconds that the database may take to end a connection. */
const GOODBYE_MS = 2_000
/** The database warns so when a commit succeeds although it was not waited for the standby. */
const WARNING = '01000'

export interface Statement {
  readonly text: string
  /**
   * What the connection knows a statement by that is executed often: it is parsed and planned once, unless a pool stands
   * between, where the next one may be executed by somebody who was never told. No two statements have the same one.
   */
  readonly name?: string
  readonly values?: readonly unknown[]
  /** Default: 10,000. */
  readonly silenceMs?: number
}

/** A statement was executed, but nobody knows whether for good: it is to be repeated, where that is safe. */
export class UnsettledError extends Error {
  override readonly name = 'UnsettledError'
}

/** One connection to the primary. Statements are executed one after the other, and each is a transaction by itself. */
export class Link {
  readonly #client: Client
  readonly #socket: Socket
  readonly #clock: Clock
  readonly #isAtWork: IsAtWork | undefined
  /** What its statements begin with, by which they are known from those of all other connections. */
  readonly #mark = `/* ${randomUUID()} */`
  #isDirect = false
  /** Resolves when the connection is gone. */
  readonly lost: Promise<void>
  #isLost = false
  #warning: string | undefined

  /** @param isAtWork without it silence alone tells that the connection has to be given up */
  constructor(client: Client, socket: Socket, clock: Clock, isAtWork?: IsAtWork) {
    this.#client = client
    this.#isAtWork = isAtWork
    this.#socket = socket
    this.#clock = clock
    this.lost = new Promise((resolve) => {
      client.once('end', () => {
        this.#isLost = true
        resolve()
      })
    })
    client.on('notice', ({ code, message }) => {
      if (code === WARNING) this.#warning = message ?? 'a warning'
    })
  }

  get isLost(): boolean {
    // The end is told some turns after the socket has broken.
    return this.#isLost || this.#socket.destroyed
  }

  /**
   * Resolves with the rows, which are of the type that the statement makes them. Rejects with the error of the database
   * (`code` is its SQLSTATE), or as the connection does.
   */
  async query<Row>({ text, name, values = [], silenceMs = SILENCE_MS }: Statement): Promise<Row[]> {
    const release = watchAnswer({
      socket: this.#socket,
      clock: this.#clock,
      mark: this.#mark,
      silenceMs,
      isAtWork: this.#isAtWork,
    })
    this.#warning = undefined
    try {
      const statement = { text: this.#mark + text, values: [...values] }
      const { rows } = await this.#client.query(name && this.#isDirect ? { ...statement, name } : statement)
      if (this.#warning !== undefined) throw new UnsettledError(this.#warning)
      return rows
    } finally {
      release()
    }
  }

  /** To be told which process of the database answers: a pool, which may have another answer next, gives another out. */
  answeredBy(pid: number): void {
    this.#isDirect = 'processID' in this.#client && this.#client.processID === pid
  }

  /** Calls `listener` with what is sent to the channels that were asked for by LISTEN. */
  onNotification(listener: (channel: string, payload: string) => void): void {
    this.#client.on('notification', ({ channel, payload = '' }) => listener(channel, payload))
  }

  /** Says goodbye; while a statement is under way, and where no answer comes, it cuts the connection. */
  async end(): Promise<void> {
    this.#isLost = true
    const cancel = this.#clock.after(GOODBYE_MS, () => this.#socket.destroy())
    await this.#client.end()
    cancel()
  }
}

/** Does something on a connection, and again until it has succeeded. Rejects with STORAGE_CLOSED where that is too late. */
export type Run = <T>(work: (link: Link) => Promise<T>) => Promise<T>

/** What each new connection is asked: by a promotion a cluster begins another timeline. */
const STATE = `
SELECT pg_is_in_recovery() AS standby, system_identifier::text AS cluster,
  CASE WHEN pg_is_in_recovery() THEN 0 ELSE ('x' || substr(pg_walfile_name('0/1000000'), 1, 8))::bit(32)::int8::float8 END
    AS timeline,
  pg_backend_pid() AS pid
FROM pg_control_system()`

interface ServerState {
  readonly pid: number
  readonly standby: boolean
  readonly cluster: string
  readonly timeline: number
}

/** By cluster, the latest timeline that any connection has seen. */
export class Timelines {
  readonly #latest = new Map<string, number>()

  /** Whether a primary is one that a standby has taken the place of, and that has come back. */
  isPast({ cluster, timeline }: Pick<ServerState, 'cluster' | 'timeline'>): boolean {
    const latest = this.#latest.get(cluster) ?? 0
    this.#latest.set(cluster, Math.max(latest, timeline))
    return timeline < latest
  }
}

/** Whether a statement that begins with $1 is executed; null where the database keeps that to itself. */
const AT_WORK = `
SELECT CASE WHEN current_setting('track_activities')::boolean THEN bool_or(starts_with(query, $1)) END AS at_work
FROM pg_stat_activity WHERE state = 'active'`

/** Makes connections to whichever of the hosts is the primary. */
export class Dialer {
  readonly #targets: readonly Target[]
  readonly #clock: Clock
  readonly #timelines: Timelines
  /** The host that was the primary last. */
  #first = 0

  /** @param timelines shared by all that lead to the same database */
  constructor(targets: readonly Target[], clock: Clock, timelines = new Timelines()) {
    this.#targets = targets
    this.#clock = clock
    this.#timelines = timelines
  }

  /** Rejects with why none of the hosts would do. */
  async dial(): Promise<Link> {
    const reasons: unknown[] = []
    for (let tried = 0; tried < this.#targets.length; tried++) {
      const index = (this.#first + tried) % this.#targets.length
      const target = this.#targets[index]
      if (!target) break
      try {
        const link = await this.#dial(target)
        this.#first = index
        return link
      } catch (error) {
        reasons.push(error)
      }
    }
    throw reasons.length === 1 ? reasons[0] : new AggregateError(reasons)
  }

  async #dial(target: Target): Promise<Link> {
    const link = await this.#connect(target, (mark) => this.#isAtWork(target, mark))
    const [state] = await link.query<ServerState>({ text: STATE })
    if (state?.standby === false && !this.#timelines.isPast(state)) {
      link.answeredBy(state.pid)
      return link
    }
    await link.end()
    const what = state?.standby === false ? 'was the primary before another was promoted' : 'is a standby'
    throw new Error(`${target.host} ${what}: it may not be written to`)
  }

  async #isAtWork(target: Target, mark: string): Promise<boolean> {
    const link = await this.#connect(target)
    try {
      const [row] = await link.query<{ at_work: boolean | null }>({ text: AT_WORK, values: [mark] })
      return row?.at_work ?? true
    } finally {
      void link.end()
    }
  }

  async #connect(target: Target, isAtWork?: IsAtWork): Promise<Link> {
    const { config, socket } = withSocket(target)
    const client = await newClient(config)
    // Whatever befalls the connection is told to the statement under way, or to the next.
    client.on('error', () => undefined)
    await client.connect()
    return new Link(client, socket, this.#clock, isAtWork)
  }
}

/** Loads `pg` when it is needed first: a server on LevelDB does without. */
async function newClient(config: Target['config']): Promise<Client> {
  const pg = await import('pg')
  try {
    return new pg.Client(config)
  } catch (error) {
    throw invalidUrl(error)
  }
}
