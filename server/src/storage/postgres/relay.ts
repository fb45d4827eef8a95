import type { Log } from '../../common/log.ts'
import type { Unfollow } from '../document-store.ts'
import type { Relay, RelayListener } from '../relay.ts'
import type { Broadcast } from './broadcast.ts'

/** Bytes of a message in one payload, which takes 7,999 in base64 and with what stands before it. */
const PART_BYTES = 5_800
/** Messages that wait to be sent, past which further ones are given up. */
const MAX_QUEUED = 1_000

const PAYLOAD = /^(.+?) (\d+) (\d+) (.*)$/s

/** A message of which parts are still to come. */
interface Incomplete {
  readonly sender: string
  readonly parts: Buffer[]
}

/**
 * Messages by the broadcast of the nodes, which has their parts come one behind the other. A message that cannot be sent
 * at once is given up: what it says is soon outdated.
 */
export class BroadcastRelay implements Relay {
  readonly #sender: string
  readonly #broadcast: Pick<Broadcast, 'send'>
  readonly #log: Log
  readonly #listeners = new Set<RelayListener>()
  #queued = 0
  #last: Promise<void> = Promise.resolve()
  #isConnected = false
  #incomplete: Incomplete | undefined

  constructor(sender: string, broadcast: Pick<Broadcast, 'send'>, log: Log) {
    this.#sender = sender
    this.#broadcast = broadcast
    this.#log = log
  }

  async publish(message: Uint8Array): Promise<void> {
    if (this.#queued >= MAX_QUEUED) return
    this.#queued++
    const payloads = this.#payloadsOf(message)
    this.#last = this.#last.then(() => this.#send(payloads))
    await this.#last
    this.#queued--
  }

  subscribe(listener: RelayListener): Unfollow {
    this.#listeners.add(listener)
    setImmediate(() => {
      if (this.#isConnected && this.#listeners.has(listener)) listener.onConnected()
    })
    return () => this.#listeners.delete(listener)
  }

  /** To be called each time that this node begins to listen. */
  connected(): void {
    this.#isConnected = true
    this.#incomplete = undefined
    for (const listener of this.#listeners) listener.onConnected()
  }

  /** To be called each time that it listens no longer. */
  disconnected(): void {
    this.#isConnected = false
    for (const listener of this.#listeners) listener.onDisconnected()
  }

  /** Takes in a notification of the channel. */
  hear(payload: string): void {
    const [, sender = '', place = '', count = '', base64 = ''] = PAYLOAD.exec(payload) ?? []
    if (place === '0') this.#incomplete = { sender, parts: [] }
    const incomplete = this.#incomplete
    // What does not follow the part before it was cut off when the connection was lost.
    if (incomplete?.sender !== sender || incomplete.parts.length !== Number(place)) return
    const { parts } = incomplete
    parts.push(Buffer.from(base64, 'base64'))
    if (parts.length < Number(count)) return
    this.#incomplete = undefined
    const message = new Uint8Array(Buffer.concat(parts))
    for (const listener of this.#listeners) listener.onMessage(message)
  }

  #payloadsOf(message: Uint8Array): string[] {
    const bytes = Buffer.from(message.buffer, message.byteOffset, message.byteLength)
    const count = Math.max(1, Math.ceil(bytes.length / PART_BYTES))
    return Array.from({ length: count }, (_, place) => {
      const part = bytes.subarray(place * PART_BYTES, (place + 1) * PART_BYTES)
      return `${this.#sender} ${place} ${count} ${part.toString('base64')}`
    })
  }

  async #send(payloads: readonly string[]): Promise<void> {
    try {
      await this.#broadcast.send('coedit_relay', payloads)
    } catch (error) {
      this.#log.debug({ err: error }, 'other servers could not be told who is here')
    }
  }
}
