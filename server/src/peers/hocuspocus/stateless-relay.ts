import type { Config } from '../../config/config.ts'

/** Longer payloads are dropped: each is sent to everybody. */
const MAX_PAYLOAD_LENGTH = 64 * 1024

/** Somebody who is shown stateless messages of a document. */
export interface Listener {
  readonly document: string
  readonly access: 'read' | 'write'
  /** Says it, or drops it where the peer reads too slowly. */
  say(payload: string): void
}

/** Passes messages that belong to no document state between those who have a document open on this server. */
export class StatelessRelay {
  readonly #from: Config['statelessFrom']
  readonly #listeners = new Map<string, Set<Listener>>()

  constructor({ statelessFrom }: Pick<Config, 'statelessFrom'>) {
    this.#from = statelessFrom
  }

  join(listener: Listener): void {
    if (this.#from === 'nobody') return
    const others = this.#listeners.get(listener.document) ?? new Set()
    this.#listeners.set(listener.document, others.add(listener))
  }

  leave(listener: Listener): void {
    const others = this.#listeners.get(listener.document)
    others?.delete(listener)
    if (others?.size === 0) this.#listeners.delete(listener.document)
  }

  /** Passes a message on to all others, unless its sender may not say anything. */
  pass(from: Listener, payload: string): void {
    const maySpeak = this.#from === 'all' || from.access === 'write'
    if (!maySpeak || payload.length > MAX_PAYLOAD_LENGTH) return
    for (const listener of this.#listeners.get(from.document) ?? []) if (listener !== from) listener.say(payload)
  }
}
