import { setImmediate as nextTurn } from 'node:timers/promises'

/** Work that can be interrupted after each step; a step is short enough to hold up nobody. */
export type Steps<T> = Generator<void, T, void>

/** Does the work a step in a turn of the event loop. */
export async function inTurns<T>(steps: Steps<T>): Promise<T> {
  for (;;) {
    const step = steps.next()
    if (step.done) return step.value
    await nextTurn()
  }
}

/** Does the work at once. */
export function atOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next()
    if (step.done) return step.value
  }
}
