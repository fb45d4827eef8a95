import { setImmediate } from 'node:timers/promises'
import { CoeditError } from '../../common/errors.ts'
import { Serial } from '../../common/serial.ts'
import type { Clock } from '../../common/timing.ts'
import type { Unfollow } from '../document-store.ts'
import type { MemoryDatabase, MemoryServer } from './database.ts'

/** How a server acts on a database that it shares with others. */
export class MemoryAccess implements MemoryServer {
  readonly database: MemoryDatabase
  readonly clock: Clock
  /** Awaited before and after each step and before each report. */
  readonly pause: () => Promise<unknown>
  /** Whatever ends reports to this server. */
  readonly following = new Set<Unfollow>()
  readonly #gate = new Serial()
  #isOpen = false

  constructor(database: MemoryDatabase, clock: Clock, pause: () => Promise<unknown>) {
    this.database = database
    this.clock = clock
    this.pause = pause
  }

  get isOpen(): boolean {
    return this.#isOpen
  }

  open(): void {
    this.#isOpen = true
  }

  async close(): Promise<void> {
    this.#isOpen = false
    for (const unfollow of this.following) unfollow()
    await this.#gate.idle()
  }

  /** Runs steps one after the other in this server; all that share the database see each as one step. */
  async run<T>(step: () => T): Promise<T> {
    if (!this.#isOpen) throw new CoeditError('STORAGE_CLOSED', 'The storage is closed.')
    return this.#gate.run(async () => {
      await this.pause()
      const result = step()
      await this.pause()
      return result
    })
  }

  /** Tells the other servers that follow a table. */
  tellOthers(followers: ReadonlyMap<() => void, MemoryServer>): void {
    for (const [tell, server] of followers) if (server !== this) setImmediate().then(tell)
  }

  /** Has `onChange` called when other servers have changed a table. */
  followTable(followers: Map<() => void, MemoryServer>, onChange: () => void): Unfollow {
    const tell = () => {
      if (followers.has(tell)) onChange()
    }
    const unfollow = () => {
      followers.delete(tell)
      this.following.delete(unfollow)
    }
    followers.set(tell, this)
    this.following.add(unfollow)
    return unfollow
  }
}
