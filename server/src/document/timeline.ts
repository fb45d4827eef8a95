import type { Writer } from '../protocol/update/update.ts'
import type { DatedEntry } from '../storage/history-store.ts'
import { writersOf } from './authors.ts'

/** What one writer wrote without a longer pause; entries of others may lie between the first and the last. */
export interface Group {
  /** Null where nobody is known. */
  readonly writer: Writer | null
  /** The numbers of the first and the last entry. */
  readonly first: number
  readonly last: number
  /** When these were written, in milliseconds of the epoch. */
  readonly since: number
  readonly until: number
  /** Entries that the writer has a share in. */
  readonly entries: number
}

export interface TimelinePage {
  /** The latest first. */
  readonly groups: readonly Group[]
  /** What is before them, if anything is: the `before` of the next page. */
  readonly next?: number
}

type Open = { -readonly [Key in keyof Group]: Group[Key] }

/** Groups entries, from the latest on. */
export class Timeline {
  readonly #limit: number
  readonly #pauseMs: number
  readonly #open = new Map<string, Open>()
  readonly #closed: Open[] = []
  #earliest: number | undefined

  constructor(limit: number, pauseMs: number) {
    this.#limit = limit
    this.#pauseMs = pauseMs
  }

  /** Adds the entry before those that were added; tells whether it has a place in the page. */
  add({ seq, time, authors }: DatedEntry): boolean {
    for (const [key, group] of this.#open) {
      if (group.since - time <= this.#pauseMs) continue
      this.#open.delete(key)
      this.#closed.push(group)
    }
    const writers = writersOf(authors)
    const fresh = writers.filter((writer) => !this.#open.has(keyOf(writer)))
    const count = this.#open.size + this.#closed.length
    // One entry is in one page, however many wrote it.
    if (count > 0 && count + fresh.length > this.#limit) return false
    for (const writer of writers) this.#note(writer, seq, time)
    this.#earliest = seq
    return true
  }

  page(goesOn: boolean): TimelinePage {
    const groups = [...this.#closed, ...this.#open.values()].sort((a, b) => b.last - a.last || b.first - a.first)
    return { groups, ...(goesOn && this.#earliest !== undefined && { next: this.#earliest }) }
  }

  #note(writer: Writer | null, seq: number, time: number): void {
    const key = keyOf(writer)
    const group = this.#open.get(key)
    if (!group) {
      this.#open.set(key, { writer, first: seq, last: seq, since: time, until: time, entries: 1 })
      return
    }
    group.first = seq
    group.since = Math.min(group.since, time)
    group.entries++
  }
}

function keyOf(writer: Writer | null): string {
  return JSON.stringify([writer?.isClaimed, writer?.name])
}
