import type * as Y from 'yjs'
import { Refused } from './refused.ts'

/** How many changes are kept; whoever has seen what was before them has to read the text again. */
const MAX_CHANGES = 10_000

type Delta = Y.YTextEvent['delta']

/** A run of characters: where it was, and where it is. */
interface Run {
  readonly was: number
  readonly is: number
  readonly length: number
}

export interface Carried {
  /** Where a position is now: it stays with the character behind it. */
  readonly at: number
  /** What is left of a range. */
  readonly ranges: readonly { readonly index: number; readonly length: number }[]
}

/** What has become of the positions in a text since somebody has seen it. */
export class TextHistory {
  #changes: Delta[] = []
  /** How many changes came before those. */
  #forgotten = 0
  /** How many changes had come at a log position. */
  readonly #marks = new Map<number, number>()

  constructor(text: Y.Text, position: number) {
    text.observe(({ delta }) => this.#changes.push(delta))
    this.mark(position)
  }

  /** The text is as it is at this log position. */
  mark(position: number): void {
    this.#marks.set(position, this.#forgotten + this.#changes.length)
    if (this.#changes.length < 2 * MAX_CHANGES && this.#marks.size < 2 * MAX_CHANGES) return
    const dropped = Math.max(0, this.#changes.length - MAX_CHANGES)
    this.#changes.splice(0, dropped)
    this.#forgotten += dropped
    const old = [...this.#marks].slice(0, -MAX_CHANGES)
    for (const [position] of old) this.#marks.delete(position)
  }

  /**
   * Where something is now that was seen at a log position; where that is undefined, it was seen just now.
   * @throws Refused EDIT_OUTDATED where the position is not known any more
   */
  carry(seen: number | undefined, index: number, length: number): Carried {
    const runs = seen === undefined ? [EVERYTHING] : this.#runsSince(seen)
    const ranges = runs.flatMap((run) => {
      const start = Math.max(index, run.was)
      const end = Math.min(index + length, run.was + run.length)
      return start < end ? [{ index: run.is + start - run.was, length: end - start }] : []
    })
    return { at: placeIn(runs, index), ranges }
  }

  #runsSince(seen: number): readonly Run[] {
    const mark = this.#marks.get(seen)
    if (mark === undefined || mark < this.#forgotten) {
      throw new Refused('EDIT_OUTDATED', 'nobody knows what has changed since then: read the document again')
    }
    return this.#changes.slice(mark - this.#forgotten).reduce(through, [EVERYTHING])
  }
}

const EVERYTHING: Run = { was: 0, is: 0, length: Number.POSITIVE_INFINITY }

function placeIn(runs: readonly Run[], index: number): number {
  const run = runs.findLast(({ was }) => was <= index)
  // What was there is gone where the run ends before.
  return run ? run.is + Math.min(index - run.was, run.length) : 0
}

/** The runs after one more change. */
function through(runs: readonly Run[], change: Delta): readonly Run[] {
  const kept = keptBy(change)
  return runs.flatMap((run) =>
    kept.flatMap((part) => {
      const start = Math.max(run.is, part.was)
      const end = Math.min(run.is + run.length, part.was + part.length)
      return start < end ? [{ was: run.was + start - run.is, is: part.is + start - part.was, length: end - start }] : []
    }),
  )
}

function keptBy(change: Delta): readonly Run[] {
  const kept: Run[] = []
  let was = 0
  let is = 0
  for (const { retain = 0, delete: gone = 0, insert } of change) {
    if (retain > 0) kept.push({ was, is, length: retain })
    was += retain + gone
    is += retain + lengthOf(insert)
  }
  return [...kept, { was, is, length: Number.POSITIVE_INFINITY }]
}

/** What is no text counts as one character. */
function lengthOf(insert: Delta[number]['insert']): number {
  if (insert === undefined) return 0
  return typeof insert === 'string' ? insert.length : 1
}
