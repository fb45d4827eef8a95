import { commonPrefix, findSplice, type Splice } from './splice.ts'

/**
 * Neighbouring stretches of the shown text and of the shared text that belong together, by their lengths:
 * - equal lengths: the same characters;
 * - `shown` 0: in the shared text, not shown yet (remote insert), or never (a line end in an input);
 * - `shared` 0: still shown, no longer in the shared text (remote delete);
 * - 1 and 2: a line end that is `\r\n` in the shared text and `\n` in the element.
 */
interface Run {
  readonly shown: number
  readonly shared: number
}

/** One step of a Yjs text delta. */
export interface DeltaStep {
  readonly insert?: string | object | undefined
  readonly delete?: number | undefined
  readonly retain?: number | undefined
}

/** A splice of the shown text, said in offsets of the shared text: do `deletions` in the order given, then insert. */
export interface SharedEdit {
  readonly deletions: readonly { readonly index: number; readonly length: number }[]
  readonly insertAt: number
  /** How the texts are aligned afterwards. */
  readonly alignment: Alignment
}

/** Which side of shared text that is not shown yet an offset at its place stands on. */
export type Side = 'before' | 'after'

/**
 * How the text that an element shows lies against the shared text. They differ where the element cannot show what
 * is there (`\r`), and while remote changes wait to be shown. Immutable.
 */
export class Alignment {
  readonly #runs: readonly Run[]

  private constructor(runs: readonly Run[]) {
    this.#runs = runs
  }

  /** Of a shared text and what an element made of it: it shows `\r\n` as `\n`, or leaves characters out. */
  static of(shown: string, shared: string): Alignment {
    const runs = new RunList()
    let read = 0
    while (runs.shared < shared.length) {
      const common = commonPrefix(shown, shared, read, runs.shared)
      runs.add(common, common)
      read += common
      const isLineEnd = shown[read] === '\n' && shared[runs.shared] === '\r'
      if (isLineEnd) read += 1
      if (isLineEnd) runs.add(1, shared[runs.shared + 1] === '\n' ? 2 : 1)
      else if (runs.shared < shared.length) runs.add(0, 1)
    }
    runs.add(shown.length - read, 0)
    return new Alignment(runs.done())
  }

  /** Of an element that still shows `before`, and a shared text of which it would show `after`. */
  static ofStale(before: string, after: string, shared: string): Alignment {
    const fresh = Alignment.of(after, shared)
    const splice = findSplice(before, after, { caret: 0 })
    if (splice === null) return fresh
    const reader = new RunReader(fresh.#runs)
    const runs = new RunList()
    for (const run of reader.takeShown(splice.index)) runs.add(run.shown, run.shared)
    for (const run of reader.takeShown(splice.insert.length)) runs.add(0, run.shared)
    runs.add(splice.remove, 0)
    for (const run of reader.rest()) runs.add(run.shown, run.shared)
    return new Alignment(runs.done())
  }

  get sharedLength(): number {
    return this.#runs.reduce((sum, run) => sum + run.shared, 0)
  }

  toShared(offset: number, side: Side): number {
    const reader = new RunReader(this.#runs)
    const before = sharedLength(reader.takeShown(offset))
    return side === 'before' ? before : before + sharedLength(reader.takeHidden())
  }

  toShown(offset: number): number {
    return new RunReader(this.#runs).takeShared(offset).reduce((sum, run) => sum + run.shown, 0)
  }

  /** What the user did to the shown text, for the shared text. Remote inserts that are not shown yet survive. */
  editShown({ index, remove, insert }: Splice): SharedEdit {
    const reader = new RunReader(this.#runs)
    const runs = new RunList()
    for (const run of reader.takeShown(index)) runs.add(run.shown, run.shared)
    const insertAt = runs.shared
    runs.add(insert.length, insert.length)

    const deletions: { index: number; length: number }[] = []
    let survived = 0
    for (const run of reader.takeShown(remove)) {
      if (run.shown === 0) {
        runs.add(0, run.shared)
        survived += run.shared
      } else if (run.shared > 0) {
        deletions.push({ index: insertAt + survived, length: run.shared })
      }
    }
    for (const run of reader.rest()) runs.add(run.shown, run.shared)
    return { deletions, insertAt, alignment: new Alignment(runs.done()) }
  }

  /** What others did to the shared text, while the element shows what it showed. */
  editShared(delta: readonly DeltaStep[]): Alignment {
    const reader = new RunReader(this.#runs)
    const runs = new RunList()
    for (const step of delta) {
      for (const run of reader.takeShared(step.retain ?? 0)) runs.add(run.shown, run.shared)
      for (const run of reader.takeShared(step.delete ?? 0)) runs.add(run.shown, 0)
      if (step.insert !== undefined) runs.add(0, typeof step.insert === 'string' ? step.insert.length : 1)
    }
    for (const run of reader.rest()) runs.add(run.shown, run.shared)
    return new Alignment(runs.done())
  }
}

function sharedLength(runs: readonly Run[]): number {
  return runs.reduce((sum, run) => sum + run.shared, 0)
}

/** Collects runs; those that say the same are joined. */
class RunList {
  readonly #runs: Run[] = []
  #shared = 0

  /** The length in the shared text of what was added. */
  get shared(): number {
    return this.#shared
  }

  add(shown: number, shared: number): void {
    if (shown === 0 && shared === 0) return
    this.#shared += shared
    const last = this.#runs.at(-1)
    if (last === undefined || !isJoinable(last, { shown, shared })) this.#runs.push({ shown, shared })
    else this.#runs[this.#runs.length - 1] = { shown: last.shown + shown, shared: last.shared + shared }
  }

  done(): readonly Run[] {
    return this.#runs
  }
}

function isJoinable(a: Run, b: Run): boolean {
  if (a.shown === 0) return b.shown === 0
  if (a.shared === 0) return b.shared === 0
  return a.shown === a.shared && b.shown === b.shared
}

/** Reads runs from the start on, cutting them where a position demands it. */
class RunReader {
  readonly #runs: readonly Run[]
  #next = 0
  /** What a cut left of the run before `#next`. */
  #remainder: Run | null = null

  constructor(runs: readonly Run[]) {
    this.#runs = runs
  }

  /** The runs with the next `length` shown characters; what is hidden behind them stays. */
  takeShown(length: number): Run[] {
    return this.#take(length, 'shown')
  }

  /** The runs with the next `length` shared characters; what is only shown behind them stays. */
  takeShared(length: number): Run[] {
    return this.#take(length, 'shared')
  }

  /** The shared text here that is not shown. */
  takeHidden(): Run[] {
    const taken: Run[] = []
    for (let run = this.#peek(); run !== undefined && run.shown === 0; run = this.#peek()) {
      taken.push(run)
      this.#advance(null)
    }
    return taken
  }

  rest(): Run[] {
    const unread = this.#runs.slice(this.#next)
    const taken = this.#remainder ? [this.#remainder, ...unread] : unread
    this.#next = this.#runs.length
    this.#remainder = null
    return taken
  }

  #take(length: number, by: keyof Run): Run[] {
    const taken: Run[] = []
    let left = length
    while (left > 0) {
      const run = this.#peek()
      if (run === undefined) break
      const part = run[by] <= left ? run : head(run, left)
      taken.push(part)
      left -= part[by]
      this.#advance(part === run ? null : { shown: run.shown - part.shown, shared: run.shared - part.shared })
    }
    return taken
  }

  #peek(): Run | undefined {
    return this.#remainder ?? this.#runs[this.#next]
  }

  #advance(remainder: Run | null): void {
    if (this.#remainder === null) this.#next += 1
    this.#remainder = remainder
  }
}

/** The first `length` characters of a run: of one text where the other has none, else of both. */
function head(run: Run, length: number): Run {
  return { shown: Math.min(run.shown, length), shared: Math.min(run.shared, length) }
}
