import { commonPrefix, type Splice } from './splice.ts'

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
    this.#runs = joined(runs)
  }

  /** Of a shared text and what an element made of it: it shows `\r\n` as `\n`, or leaves characters out. */
  static of(shown: string, shared: string): Alignment {
    const runs: Run[] = []
    let read = 0
    let at = 0
    const add = (run: Run) => {
      runs.push(run)
      read += run.shown
      at += run.shared
    }
    while (at < shared.length) {
      const common = commonPrefix(shown, shared, read, at)
      add({ shown: common, shared: common })
      if (shared[at] !== '\r' || shown[read] !== '\n') add({ shown: 0, shared: Math.min(1, shared.length - at) })
      else add({ shown: 1, shared: shared[at + 1] === '\n' ? 2 : 1 })
    }
    add({ shown: shown.length - read, shared: 0 })
    return new Alignment(runs)
  }

  get sharedLength(): number {
    return lengthOf(this.#runs, 'shared')
  }

  toShared(offset: number, side: Side): number {
    const [before, after] = split(this.#runs, offset, 'shown')
    const hidden = side === 'after' && after[0]?.shown === 0 ? after[0].shared : 0
    return lengthOf(before, 'shared') + hidden
  }

  toShown(offset: number): number {
    return lengthOf(split(this.#runs, offset, 'shared')[0], 'shown')
  }

  /** What the user did to the shown text, for the shared text. What is not shown survives. */
  editShown({ index, remove, insert }: Splice): SharedEdit {
    const [head, rest] = split(this.#runs, index, 'shown')
    const [removed, tail] = split(rest, remove, 'shown')
    const insertAt = lengthOf(head, 'shared')
    const deletions: { index: number; length: number }[] = []
    const survivors = removed.filter((run) => run.shown === 0)
    let at = insertAt
    for (const run of removed) {
      if (run.shown === 0) at += run.shared
      else if (run.shared > 0) deletions.push({ index: at, length: run.shared })
    }
    const inserted = { shown: insert.length, shared: insert.length }
    return { deletions, insertAt, alignment: new Alignment([...head, inserted, ...survivors, ...tail]) }
  }

  /** What others did to the shared text, while the element shows what it showed. */
  editShared(delta: readonly DeltaStep[]): Alignment {
    const runs: Run[] = []
    let rest = this.#runs
    for (const { retain = 0, delete: remove = 0, insert = '' } of delta) {
      const [kept, behind] = split(rest, retain, 'shared')
      const [removed, tail] = split(behind, remove, 'shared')
      const inserted = { shown: 0, shared: typeof insert === 'string' ? insert.length : 1 }
      runs.push(...kept, ...removed.map(unshare), inserted)
      rest = tail
    }
    return new Alignment([...runs, ...rest])
  }
}

function unshare({ shown }: Run): Run {
  return { shown, shared: 0 }
}

function lengthOf(runs: readonly Run[], by: keyof Run): number {
  return runs.reduce((sum, run) => sum + run[by], 0)
}

/** Cuts runs where `length` characters of one text end. Runs that have none of it there belong to the second part. */
function split(runs: readonly Run[], length: number, by: keyof Run): [Run[], Run[]] {
  let left = length
  let count = 0
  for (let run = runs[0]; run !== undefined && left > 0 && run[by] <= left; run = runs[count]) {
    left -= run[by]
    count += 1
  }
  const cut = runs[count]
  if (cut === undefined || left === 0) return [runs.slice(0, count), runs.slice(count)]
  const head = { shown: Math.min(cut.shown, left), shared: Math.min(cut.shared, left) }
  const tail = { shown: cut.shown - head.shown, shared: cut.shared - head.shared }
  return [
    [...runs.slice(0, count), head],
    [tail, ...runs.slice(count + 1)],
  ]
}

/** Without empty runs, and with those in one that say the same. */
function joined(runs: readonly Run[]): readonly Run[] {
  const all: Run[] = []
  for (const run of runs) {
    const last = all.at(-1)
    if (run.shown === 0 && run.shared === 0) continue
    if (last && isJoinable(last, run))
      all.splice(-1, 1, { shown: last.shown + run.shown, shared: last.shared + run.shared })
    else all.push(run)
  }
  return all
}

function isJoinable(a: Run, b: Run): boolean {
  if (a.shown === 0) return b.shown === 0
  if (a.shared === 0) return b.shared === 0
  return a.shown === a.shared && b.shown === b.shared
}
