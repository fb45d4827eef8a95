import { randomInt } from 'node:crypto'
import type { Log } from '../../common/log.ts'
import type { Database } from './database.ts'
import { OPENINGS_KEY } from './keys.ts'
import { putNumbers, removeKey } from './operations.ts'
import { decodeNumbers } from './records.ts'

const MAX_INCARNATION = 2 ** 48 - 1

/** Openings that are remembered, as many restarts as a reader may have missed and still go on where it was. */
const MAX_KEPT = 16

/** A number that an earlier incarnation of a document can have had by chance only. */
export function randomIncarnation(): number {
  return randomInt(1, MAX_INCARNATION)
}

/**
 * Tells the numbers that were given in one opening of the database from those of another. A log that has lost its end (to
 * damage, to a disk that only says it has written, to an older copy in its place) gives out again what readers know as
 * the numbers of other edits, and nothing in it tells. So each opening makes every document another incarnation, whose
 * numbers are valid in later ones only when it was ended in order: that is written last, so where it is found, all that
 * was written before it is there.
 */
export class Openings {
  readonly #database: Database
  readonly #current: number
  readonly #log: Log
  #kept: readonly number[] = []
  #isStarted = false

  /** @param current a number that no earlier opening had */
  constructor(database: Database, current: number, log: Log) {
    this.#database = database
    this.#current = current
    this.#log = log
  }

  /** To be called when the database is open. */
  async start(): Promise<void> {
    const value = await this.#database.read((level) => level.get(OPENINGS_KEY))
    const kept = (value && decodeNumbers({ key: OPENINGS_KEY, value })) ?? []
    // The last record of a log proves nothing where others were lost.
    if (this.#database.damage.droppedBytes === 0) this.#kept = kept
    else await this.#database.write([removeKey(OPENINGS_KEY)])
    this.#isStarted = true
  }

  /** What a document is in this opening. */
  incarnationOf(document: number): number {
    return combine(document, this.#current)
  }

  /** What it was in earlier ones whose numbers are valid. */
  earlierOf(document: number): readonly number[] {
    return this.#kept.map((opening) => combine(document, opening))
  }

  /** Ends it in order; nothing may be written after it. */
  async close(): Promise<void> {
    if (!this.#isStarted) return
    this.#isStarted = false
    const kept = [this.#current, ...this.#kept].slice(0, MAX_KEPT)
    try {
      await this.#database.write([putNumbers(OPENINGS_KEY, kept)])
    } catch (error) {
      this.#log.warn({ err: error }, 'the end could not be noted: readers of event streams will begin anew')
    }
  }
}

/** Only by chance do two other numbers give the same. */
function combine(document: number, opening: number): number {
  return 1 + ((document + opening) % MAX_INCARNATION)
}
