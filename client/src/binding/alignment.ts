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

/**
 * How the text that an element shows lies against the shared text. They differ where the element cannot show what
 * is there (`\r`), and while remote changes wait to be shown.
 */
export type Alignment = readonly Run[]

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

/** Aligns a shared text and what an element made of it: it shows `\r\n` as `\n`, or leaves characters out. */
export function align(shown: string, shared: string): Alignment {
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
    if (shared[at] === '\r' && shown[read] === '\n') add({ shown: 1, shared: shared[at + 1] === '\n' ? 2 : 1 })
    else add({ shown: 0, shared: Math.min(1, shared.length - at) })
  }
  add({ shown: shown.length - read, shared: 0 })
  return runs
}

export function lengthOf(alignment: Alignment, by: keyof Run): number {
  return alignment.reduce((sum, run) => sum + run[by], 0)
}

export function toShared(alignment: Alignment, offset: number, side: Side): number {
  return lengthOf(split(alignment, offset, 'shown', side === 'after')[0], 'shared')
}

export function toShown(alignment: Alignment, offset: number): number {
  return lengthOf(split(alignment, offset, 'shared')[0], 'shown')
}

/** Says for the shared text what the user did to the shown text. What is not shown survives. */
export function editShown(alignment: Alignment, { index, remove, insert }: Splice): SharedEdit {
  const [head, rest] = split(alignment, index, 'shown')
  const [removed, tail] = split(rest, remove, 'shown')
  const insertAt = lengthOf(head, 'shared')
  const deletions: { index: number; length: number }[] = []
  let at = insertAt
  for (const { shown, shared } of removed) {
    if (shown === 0) at += shared
    else if (shared > 0) deletions.push({ index: at, length: shared })
  }
  const inserted = { shown: insert.length, shared: insert.length }
  const survivors = removed.filter(({ shown }) => shown === 0)
  return { deletions, insertAt, alignment: [...head, inserted, ...survivors, ...tail] }
}

/** Takes in what others did to the shared text, while the element shows what it showed. */
export function editShared(alignment: Alignment, delta: readonly DeltaStep[]): Alignment {
  const runs: Run[] = []
  let rest = alignment
  for (const { retain = 0, delete: remove = 0, insert = '' } of delta) {
    const [kept, behind] = split(rest, retain, 'shared')
    const [removed, tail] = split(behind, remove, 'shared')
    runs.push(...kept)
    for (const { shown } of removed) runs.push({ shown, shared: 0 })
    runs.push({ shown: 0, shared: typeof insert === 'string' ? insert.length : 1 })
    rest = tail
  }
  return [...runs, ...rest]
}

/**
 * Cuts runs where `length` characters of one text end. Runs that have none of it at this place are of the second part,
 * or of the first if it is `greedy`.
 */
function split(runs: Alignment, length: number, by: keyof Run, greedy = false): [Alignment, Alignment] {
  let left = length
  let count = 0
  for (const run of runs) {
    if (run[by] > left || (left === 0 && !greedy)) break
    left -= run[by]
    count += 1
  }
  const head = runs.slice(0, count)
  const cut = runs[count]
  if (cut === undefined || left === 0) return [head, runs.slice(count)]
  const shown = Math.min(cut.shown, left)
  const shared = Math.min(cut.shared, left)
  const tail = { shown: cut.shown - shown, shared: cut.shared - shared }
  return [
    [...head, { shown, shared }],
    [tail, ...runs.slice(count + 1)],
  ]
}
