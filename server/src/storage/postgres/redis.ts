import type { RedisClientType } from '@redis/client'
import type { Log } from '../../common/log.ts'
import { type Broadcast, CHANNELS, type Channel, type Hearing, isChannel } from './broadcast.ts'

const FIRST_RETRY_MS = 10
const LAST_RETRY_MS = 2_000
/** How long a connection is tried to be made. */
const CONNECT_MS = 5_000
/** How often it is looked whether the other end is still there. */
const PING_MS = 1_000

export interface RedisBroadcastOptions {
  /** Such as `redis://:password@host:6379`, or `rediss://` with TLS. */
  readonly url: string
  readonly log: Log
  /** What tells this database from others whose nodes use the same Redis. */
  readonly scope: () => Promise<string>
}

interface Connection {
  readonly publisher: RedisClientType
  readonly subscriber: RedisClientType
  readonly scope: string
}

/**
 * The same by the channels of a Redis, for more nodes than NOTIFY serves well: PostgreSQL wakes every listener for each
 * commit that notifies, at the cost of all. Redis keeps nothing; when it is lost, everything comes a little later.
 */
export class RedisBroadcast implements Broadcast {
  readonly #options: RedisBroadcastOptions
  #connection: Connection | undefined
  #isStopped = false
  #hasFailed = false
  #starting: Promise<void> | undefined

  constructor(options: RedisBroadcastOptions) {
    this.#options = options
  }

  start(hearing: Hearing): void {
    this.#starting = this.#start(hearing)
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    for (const client of this.#clients()) client.destroy()
    await this.#starting
  }

  async send(channel: Channel, payloads: readonly string[]): Promise<void> {
    await this.#starting
    const { publisher, scope } = this.#connection ?? {}
    if (!publisher?.isReady) throw new Error('Redis is not connected')
    const transaction = publisher.multi()
    for (const payload of payloads) transaction.publish(`${scope}${channel}`, payload)
    await transaction.exec()
  }

  probe(): void {
    // The clients ping by themselves.
  }

  async #start(hearing: Hearing): Promise<void> {
    const { url, scope: scopeOf } = this.#options
    const [{ createClient }, scope] = await Promise.all([import('@redis/client'), scopeOf()])
    const reconnectStrategy = (retries: number) => Math.min(FIRST_RETRY_MS * 2 ** Math.min(retries, 10), LAST_RETRY_MS)
    const socket = { connectTimeout: CONNECT_MS, socketTimeout: 3 * PING_MS, reconnectStrategy }
    const newClient = (): RedisClientType =>
      createClient({ url, socket, pingInterval: PING_MS, disableOfflineQueue: true })
    const connection = { publisher: newClient(), subscriber: newClient(), scope }
    this.#connection = connection
    this.#observe(connection, hearing)
    await Promise.all(this.#clients().map((client) => this.#connect(client)))
  }

  #observe({ publisher, subscriber, scope }: Connection, hearing: Hearing): void {
    let isListening = false
    const listen = async (): Promise<void> => {
      await subscriber.subscribe(
        CHANNELS.map((channel) => `${scope}${channel}`),
        (payload, name) => {
          const channel = name.slice(scope.length)
          if (isChannel(channel)) hearing.onPayload(channel, payload)
        },
      )
      isListening = true
      this.#hasFailed = false
      hearing.onListening()
    }
    subscriber.on('ready', () => listen().catch((error: unknown) => this.#failed(error)))
    for (const client of [publisher, subscriber]) client.on('error', (error) => this.#failed(error))
    subscriber.on('reconnecting', () => {
      if (isListening) hearing.onDeaf()
      isListening = false
    })
  }

  /** Resolves when it was connected for the first time, or is not to be any more. */
  async #connect(client: RedisClientType): Promise<void> {
    try {
      if (!this.#isStopped) await client.connect()
    } catch (error) {
      this.#failed(error)
    }
  }

  #clients(): readonly RedisClientType[] {
    return this.#connection ? [this.#connection.publisher, this.#connection.subscriber] : []
  }

  #failed(error: unknown): void {
    if (this.#hasFailed || this.#isStopped) return
    this.#hasFailed = true
    const reason = error instanceof Error ? error.message : String(error)
    this.#options.log.warn({ reason }, 'Redis cannot be used: what other servers write comes up to 2 s late')
  }
}
