import { randomUUID } from 'node:crypto'
import type { Log } from '../../common/log.ts'
import { type Cancel, type Clock, Condition } from '../../common/timing.ts'
import { type Broadcast, CHANNELS, type Channel, type Hearing, isChannel } from './broadcast.ts'
import type { Lane } from './lane.ts'
import type { Dialer, Link } from './link.ts'
import { reasonOf } from './pg-errors.ts'

const FIRST_RETRY_MS = 10
const LAST_RETRY_MS = 2_000
/** Milliseconds within which the other end of the connection has to answer. */
const PROBE_MS = 4_000
/** Milliseconds within which what this node sends itself has to arrive. */
const ECHO_MS = 5_000
/**
 * Milliseconds without an answer after which a connection is given up, and more for each payload: meanwhile others may
 * take this node for dead.
 */
const SILENCE_MS = 2_000
const SILENCE_MS_PER_PAYLOAD = 10
/** The channel of what a node sends to find out whether it hears. */
const ECHO = 'coedit_echo'

export interface ListenerContext {
  /** Leads to the database itself: a pool that hands out connections by transaction lets nobody listen. */
  readonly dialer: Dialer
  /** By which it sends. */
  readonly lane: Lane
  readonly clock: Clock
  readonly log: Log
}

/**
 * Tells by NOTIFY, each message in one transaction, and listens on a connection of its own, which is made anew when it is
 * lost.
 */
export class Listener implements Broadcast {
  readonly #context: ListenerContext
  /** By which this node knows its own echo. */
  readonly #id = randomUUID()
  readonly #stopped = new Condition()
  #link: Link | undefined
  #awaitsEcho: Cancel | undefined
  #isStopped = false
  #hasFailed = false
  #isProbing = false
  #running: Promise<void> | undefined

  constructor(context: ListenerContext) {
    this.#context = context
  }

  start(hearing: Hearing): void {
    this.#running = this.#run(hearing)
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    this.#stopped.notify()
    this.#awaitsEcho?.()
    await this.#link?.end()
    await this.#running
  }

  send(channel: Channel, payloads: readonly string[]): Promise<void> {
    return this.#notify(channel, payloads)
  }

  probe(): void {
    if (this.#isProbing || !this.#link) return
    this.#isProbing = true
    const probing = this.#link.query({ text: 'SELECT 1', silenceMs: PROBE_MS })
    const done = () => {
      this.#isProbing = false
    }
    // The end of the link is seen to by #run.
    probing.then(done, done)
  }

  async #notify(channel: string, payloads: readonly string[]): Promise<void> {
    const text = 'SELECT pg_notify($1, payload) FROM unnest($2::text[]) AS payload'
    const silenceMs = SILENCE_MS + SILENCE_MS_PER_PAYLOAD * payloads.length
    const statement = { name: 'notify', text, values: [channel, payloads], silenceMs }
    await this.#context.lane.once((link) => link.query(statement))
  }

  async #run(hearing: Hearing): Promise<void> {
    for (let delay = FIRST_RETRY_MS; !this.#isStopped; delay = Math.min(2 * delay, LAST_RETRY_MS)) {
      try {
        await this.#listen(hearing, () => {
          delay = FIRST_RETRY_MS
        })
      } catch (error) {
        this.#failed(error)
      }
      if (!this.#isStopped) await this.#stopped.waitFor(this.#context.clock, delay)
    }
  }

  /** Resolves when the connection is lost. */
  async #listen({ onPayload, onListening, onDeaf }: Hearing, onBegin: () => void): Promise<void> {
    const link = await this.#context.dialer.dial()
    this.#link = link
    link.onNotification((channel, payload) => {
      if (isChannel(channel)) onPayload(channel, payload)
      else if (payload === this.#id) this.#heardEcho()
    })
    await link.query({ text: [ECHO, ...CHANNELS].map((channel) => `LISTEN ${channel}`).join(';') })
    if (this.#isStopped) {
      await link.end()
      return
    }
    onBegin()
    this.#hasFailed = false
    onListening()
    this.#expectEcho()
    await link.lost
    onDeaf()
  }

  #expectEcho(): void {
    const { clock, log } = this.#context
    this.#awaitsEcho?.()
    this.#awaitsEcho = clock.after(ECHO_MS, () => {
      const advice = 'edits of other servers come up to 2 s late: give databaseDirect where database leads to a pool'
      log.error({}, `notifications of the database do not arrive; ${advice}`)
    })
    this.#notify(ECHO, [this.#id]).catch((error: unknown) => log.debug({ err: error }, 'an echo could not be sent'))
  }

  #heardEcho(): void {
    this.#awaitsEcho?.()
    this.#awaitsEcho = undefined
  }

  #failed(error: unknown): void {
    if (this.#hasFailed || this.#isStopped) return
    this.#hasFailed = true
    this.#context.log.warn({ reason: reasonOf(error) }, 'the database does not let coedit listen; it is tried again')
  }
}
