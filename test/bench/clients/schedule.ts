import { setTimeout as sleep } from 'node:timers/promises'
import { Random } from '../../support/random.ts'

const RESOLUTION = 1_000_000

export interface Planned {
  /** Milliseconds after the start. */
  readonly at: number
  run(): void
}

/** Does each thing at its time. */
export async function runSchedule(plan: readonly Planned[]): Promise<void> {
  const inOrder = plan.toSorted((a, b) => a.at - b.at)
  const start = performance.now()
  for (const { at, run } of inOrder) {
    const early = at - (performance.now() - start)
    if (early > 0) await sleep(early)
    run()
  }
}

/** Where in its interval (0 to 1) something happens. */
export type Rhythm = () => number

/** Anywhere, as with people who know nothing of each other; the same for each seed. */
export function independent(seed: number): Rhythm {
  const random = new Random(seed)
  return () => random.below(RESOLUTION) / RESOLUTION
}

/** At the beginning, as with timers that were started in one loop. */
export function inStep(): Rhythm {
  return () => 0
}

/** Each item in its turn, one an interval. */
export function everyInterval<T>(
  items: readonly T[],
  intervalMs: number,
  rhythm: Rhythm,
  run: (item: T, index: number) => void,
): Planned[] {
  return items.map((item, index) => ({ at: (index + rhythm()) * intervalMs, run: () => run(item, index) }))
}
