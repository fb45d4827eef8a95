import type { Log } from '../../common/log.ts'
import { type Cancel, type Clock, Condition } from '../../common/timing.ts'
import type { Dialer, Link } from './link.ts'
import { reasonOf } from './pg-errors.ts'

const FIRST_RETRY_MS = 10
const LAST_RETRY_MS = 2_000
/** Milliseconds within which the other end of the connection has to answer. */
const PROBE_MS = 4_000
/** Milliseconds within which what this node sends itself has to arrive. */
const ECHO_MS = 5_000

export interface ListenerContext {
  /** Leads to the database itself: a pool that hands out connections by transaction lets nobody listen. */
  readonly dialer: Dialer
  readonly clock: Clock
  readonly log: Log
  /** Takes a notification of a channel other than that of hints. */
  readonly channels: Readonly<Record<string, (payload: string) => void>>
  /** Takes a notification of hints; returns whether this node has sent it itself. */
  onPayload(payload: string): boolean
  /** Called each time it begins to listen: what was sent before was missed. */
  onListening(): void
  /** Called each time that the connection on which it listened is lost. */
  onDeaf(): void
  /** Sends a notification that `onPayload` knows for one of its own. */
  sendEcho(): void
}

/** The channel of hints. */
const HINTS = 'coedit'

/** Listens on the channel of hints and on others, on a connection of its own, which is made anew when it is lost. */
export class Listener {
  readonly #context: ListenerContext
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

  start(): void {
    this.#running = this.#run()
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    this.#stopped.notify()
    this.#awaitsEcho?.()
    await this.#link?.end()
    await this.#running
  }

  /** Asks whether the other end of the connection is still there; a link that does not answer is given up. */
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

  async #run(): Promise<void> {
    for (let delay = FIRST_RETRY_MS; !this.#isStopped; delay = Math.min(2 * delay, LAST_RETRY_MS)) {
      try {
        await this.#listen(() => {
          delay = FIRST_RETRY_MS
        })
      } catch (error) {
        this.#failed(error)
      }
      if (!this.#isStopped) await this.#stopped.waitFor(this.#context.clock, delay)
    }
  }

  /** Resolves when the connection is lost. */
  async #listen(onBegin: () => void): Promise<void> {
    const link = await this.#context.dialer.dial()
    this.#link = link
    const { channels, onPayload, onListening, onDeaf } = this.#context
    link.onNotification((channel, payload) => {
      if (channel !== HINTS) channels[channel]?.(payload)
      else if (onPayload(payload)) this.#heardEcho()
    })
    await link.query({ text: [HINTS, ...Object.keys(channels)].map((channel) => `LISTEN ${channel}`).join(';') })
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
    const { clock, log, sendEcho } = this.#context
    this.#awaitsEcho?.()
    this.#awaitsEcho = clock.after(ECHO_MS, () => {
      const advice = 'edits of other servers come up to 2 s late: give databaseDirect where database leads to a pool'
      log.error({}, `notifications of the database do not arrive; ${advice}`)
    })
    sendEcho()
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
