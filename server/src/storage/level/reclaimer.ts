import type { Log } from '../../common/log.ts'
import type { Serial } from '../../common/serial.ts'
import type { Cancel, Clock } from '../../common/timing.ts'
import type { Database } from './database.ts'
import { DOCUMENTS, documentIdOf, documentsRange, HISTORIES, historiesRange, type KeyRange } from './keys.ts'
import { removeKey } from './operations.ts'
import { readLast } from './read-range.ts'

/** Removed bytes past which they are freed: at least so many, and so large a part of the database. */
const BUSY = { bytes: 1024 * 1024, part: 1 / 4 }
/** Removed bytes past which they are freed once nothing was removed for QUIET_MS. */
const QUIET = { bytes: 64 * 1024, part: 1 / 8 }
const QUIET_MS = 10_000

/** Tables rewritten at a time: `close` waits for one such slice. */
const SLICE_BYTES = 64 * 1024 * 1024

export interface ReclaimerContext {
  readonly database: Database
  /** What every write passes through, one at a time. */
  readonly gate: Serial
  readonly clock: Clock
  readonly log: Log
}

/**
 * Frees the disk space of removed records, in the background. LevelDB drops them only when it happens to rewrite the
 * tables that they are in, which in a small database is never (measured: ten times the size of its documents). Since
 * it takes a part of the database in removed bytes to rewrite it, a removed byte costs at most a few written ones.
 */
export class Reclaimer {
  readonly #context: ReclaimerContext
  #removedBytes = 0
  #running: Promise<void> | undefined
  #isClosing = false
  #cancelQuiet: Cancel = () => undefined

  constructor(context: ReclaimerContext) {
    this.#context = context
  }

  /** Notes that so many bytes were removed. */
  removed(bytes: number): void {
    this.#removedBytes += bytes
    this.#cancelQuiet()
    if (this.#removedBytes >= BUSY.bytes) this.#start(BUSY)
    this.#cancelQuiet = this.#context.clock.after(QUIET_MS, () => this.#start(QUIET))
  }

  /** Has the files forget what was removed of a range. */
  erase(range: KeyRange): void {
    const before = this.#running ?? Promise.resolve()
    this.#follow(before.then(() => this.#erase(range)))
  }

  /** Frees what it can in a moment, and resolves when nothing is being freed, nor will be. */
  async close(): Promise<void> {
    this.#isClosing = true
    this.#cancelQuiet()
    await this.#running
    this.#start(QUIET)
    await this.#running
  }

  #start(threshold: typeof BUSY): void {
    if (!this.#running) this.#follow(this.#reclaim(threshold))
  }

  #follow(work: Promise<void>): void {
    const running = work
      .catch((error: unknown) => this.#context.log.warn({ err: error }, 'disk space could not be freed'))
      .finally(() => {
        if (this.#running === running) this.#running = undefined
      })
    this.#running = running
  }

  async #erase(range: KeyRange): Promise<void> {
    if (!this.#context.database.isDamaged) await this.#rewrite(range)
  }

  async #reclaim({ bytes, part }: typeof BUSY): Promise<void> {
    const { database } = this.#context
    if (database.isDamaged) return
    const size = await database.read((level) => level.approximateSize(DOCUMENTS.gte, HISTORIES.lt))
    if (this.#removedBytes < Math.max(bytes, size * part)) return
    this.#removedBytes = 0
    for (const slice of await this.#slices(size)) {
      await this.#rewrite(slice)
      if (this.#isClosing || database.isDamaged) return
    }
  }

  /** The database in ranges of about SLICE_BYTES, as far as documents are of one size. */
  async #slices(size: number): Promise<KeyRange[]> {
    const last = await this.#context.database.read((level) => readLast(level, DOCUMENTS))
    const count = last ? documentIdOf(last.key) + 1 : 0
    const step = Math.ceil(count / Math.ceil((size + 1) / SLICE_BYTES))
    const slices: KeyRange[] = []
    for (let id = 0; id < count; id += step) slices.push(documentsRange(id, id + step), historiesRange(id, id + step))
    return slices
  }

  /**
   * LevelDB's compactRange moves tables down as far as there are any, and does not touch the lowest. So the first one
   * brings what is in memory into tables, and the second one has a new, tiny table to merge with all of the range.
   */
  async #rewrite({ gte, lt }: KeyRange): Promise<void> {
    const { database, gate } = this.#context
    await database.read((level) => level.compactRange(gte, gte))
    await gate.run(() => database.write([removeKey(gte), removeKey(lt)])) // neither is the key of a record
    await database.read((level) => level.compactRange(gte, lt))
  }
}
