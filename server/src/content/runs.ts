/** A run of elements or characters: where it was, and where it is. */
export interface Run {
  readonly was: number
  readonly is: number
  readonly length: number
}

/** Where everything is that was in a sequence, in ascending order; the last run has no end. */
export type Runs = readonly Run[]

/** Nothing has moved. */
export const UNMOVED: Runs = [{ was: 0, is: 0, length: Number.POSITIVE_INFINITY }]

/** Where something is now; undefined where it is gone. */
export function placeOf(runs: Runs, index: number): number | undefined {
  const run = runs.findLast(({ was }) => was <= index)
  return run && index < run.was + run.length ? run.is + index - run.was : undefined
}

/** Where a gap is now: it stays with what is behind it. */
export function gapOf(runs: Runs, index: number): number {
  const run = runs.findLast(({ was }) => was <= index)
  // What was there is gone where the run ends before.
  return run ? run.is + Math.min(index - run.was, run.length) : 0
}

/** Where the end of what is there was: behind all that is left of what was there. */
export function seenAtEnd(runs: Runs, end: number): number {
  const { was, is } = runs.at(-1) ?? { was: 0, is: 0 }
  return was + end - is
}

/** What is left of a range. */
export function rangesOf(runs: Runs, index: number, length: number): { index: number; length: number }[] {
  return runs.flatMap((run) => {
    const start = Math.max(index, run.was)
    const end = Math.min(index + length, run.was + run.length)
    return start < end ? [{ index: run.is + start - run.was, length: end - start }] : []
  })
}

/** The runs after something was put in at a place of which is told where it was, and where it is. */
export function withInserted(runs: Runs, was: number, is: number): Runs {
  const [before, behind] = parted(runs, was)
  return [...before, { was, is, length: 1 }, ...moved(behind, 1)]
}

/** The runs after what was at a place is taken out. */
export function withRemoved(runs: Runs, was: number): Runs {
  const [before, rest] = parted(runs, was)
  const [, behind] = parted(rest, was + 1)
  return [...before, ...moved(behind, -1)]
}

/** All that has moved by several changes, the first one first. By halves, since each adds to the runs of those before. */
export function through(changes: readonly Runs[]): Runs {
  if (changes.length < 2) return changes[0] ?? UNMOVED
  const half = changes.length >> 1
  return composed(through(changes.slice(0, half)), through(changes.slice(half)))
}

/** One step behind the other: linear in both. */
function composed(first: Runs, second: Runs): Runs {
  const runs: Run[] = []
  for (let [one, other] = [0, 0]; one < first.length && other < second.length; ) {
    const [a, b] = [first[one], second[other]]
    if (!a || !b) break
    const [aEnd, bEnd] = [a.is + a.length, b.was + b.length]
    const start = Math.max(a.is, b.was)
    const end = Math.min(aEnd, bEnd)
    if (start < end) runs.push({ was: a.was + start - a.is, is: b.is + start - b.was, length: end - start })
    if (aEnd <= bEnd) one++
    if (bEnd <= aEnd) other++
  }
  return runs
}

function parted(runs: Runs, was: number): [before: Run[], behind: Run[]] {
  const before: Run[] = []
  const behind: Run[] = []
  for (const run of runs) {
    const length = Math.min(Math.max(0, was - run.was), run.length)
    if (length > 0) before.push({ ...run, length })
    if (length < run.length) behind.push({ was: run.was + length, is: run.is + length, length: run.length - length })
  }
  return [before, behind]
}

function moved(runs: Runs, by: number): Run[] {
  return runs.map(({ was, is, length }) => ({ was: was + by, is: is + by, length }))
}
