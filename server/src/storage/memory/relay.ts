import { Serial } from '../../common/serial.ts'
import type { Unfollow } from '../document-store.ts'
import type { Relay, RelayListener } from '../relay.ts'
import type { MemoryDatabase, MemoryHearer } from './database.ts'

/** Reaches all relays of a database, and loses nothing. */
export class MemoryRelay implements Relay, MemoryHearer {
  readonly #database: MemoryDatabase
  readonly #pause: () => Promise<unknown>
  readonly #deliveries = new Serial()
  readonly #listeners = new Set<RelayListener>()
  #isClosed = false

  constructor(database: MemoryDatabase, pause: () => Promise<unknown>) {
    this.#database = database
    this.#pause = pause
  }

  async publish(message: Uint8Array): Promise<void> {
    if (this.#isClosed) return
    const copy = new Uint8Array(message)
    for (const relay of this.#database.relays) relay.hear(copy)
    await this.#pause()
  }

  hear(message: Uint8Array): void {
    for (const listener of this.#listeners) this.#report(listener, () => listener.onMessage(message))
  }

  subscribe(listener: RelayListener): Unfollow {
    this.#listeners.add(listener)
    this.#database.relays.add(this)
    this.#report(listener, () => listener.onConnected())
    return () => this.#listeners.delete(listener)
  }

  close(): void {
    this.#isClosed = true
    this.#listeners.clear()
    this.#database.relays.delete(this)
  }

  #report(listener: RelayListener, report: () => void): void {
    void this.#deliveries.run(async () => {
      await this.#pause()
      if (this.#listeners.has(listener)) report()
    })
  }
}
