import { randomInt } from 'node:crypto'
import type { Log } from '../../common/log.ts'
import type { Cancel, Clock } from '../../common/timing.ts'
import type { Run } from './link.ts'

/** How long a server counts as alive after its last sign of life, in seconds of the database. */
const LEASE_SECONDS = 5
/** How often it gives one, in milliseconds. */
const BEAT_MS = 1_000

const BEAT = `
WITH gone AS (DELETE FROM coedit.holders WHERE id <> $1 AND until < now() - interval '1 day')
INSERT INTO coedit.holders VALUES ($1, now() + interval '${LEASE_SECONDS} s')
ON CONFLICT (id) DO UPDATE SET until = excluded.until`

export interface HolderContext {
  readonly clock: Clock
  readonly log: Log
  readonly run: Run
}

/** This server as the holder of cursors. It shows that it is alive from the first one on. */
export class Holder {
  /** By which number the database knows this server. */
  readonly id = randomInt(1, 2 ** 48 - 1)
  readonly #context: HolderContext
  #started: Promise<void> | undefined
  #next: Cancel | undefined
  #isClosed = false

  constructor(context: HolderContext) {
    this.#context = context
  }

  /** Resolves with its number when it counts as alive. */
  async alive(): Promise<number> {
    this.#started ??= this.#beat()
    await this.#started
    return this.id
  }

  /** Leaves the cursors to the others. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#next?.()
    if (!this.#started) return
    try {
      await this.#started
      await this.#query('DELETE FROM coedit.holders WHERE id = $1')
    } catch (error) {
      // The others take them when this server has shown no sign of life for long enough.
      this.#context.log.debug({ err: error }, 'the cursors of a server could not be released')
    }
  }

  async #beat(): Promise<void> {
    await this.#query(BEAT)
    this.#beatLater()
  }

  #beatLater(): void {
    if (this.#isClosed) return
    this.#next = this.#context.clock.after(BEAT_MS, () => {
      this.#beat().catch((error: unknown) => this.#failed(error))
    })
  }

  #query(text: string): Promise<unknown> {
    return this.#context.run((link) => link.query({ text, values: [this.id] }))
  }

  #failed(error: unknown): void {
    if (!this.#isClosed) this.#context.log.error({ err: error }, 'a sign of life could not be given: others take over')
    this.#beatLater()
  }
}
