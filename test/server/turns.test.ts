import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { atOnce, inTurns, type Steps } from '../../server/src/common/turns.ts'
import { encodeDeleteSet, type Ranges, readInParts } from '../../server/src/protocol/update/ranges.ts'
import { KnownState } from '../../server/src/protocol/update/update.ts'

const MANY = 100_000
/** What one step may read, far below what takes 100 ms. */
const A_STEP = 10_000

function largeState(): KnownState {
  const state = new KnownState()
  for (let client = 0; client < MANY; client++) state.advance(client, 2 * MANY)
  state.delete(new Map([[7, everySecond()]]))
  return state
}

/** The ranges [0, 1), [2, 3), … */
function everySecond(): Ranges {
  return Array.from({ length: 2 * MANY }, (_, i) => i)
}

function countSteps(steps: Steps<unknown>): number {
  let count = 0
  while (!steps.next().done) count++
  return count
}

test('what is known of a large document is decoded in many steps, and whole', () => {
  const state = largeState()
  const decode = () => KnownState.decode(state.encodeStateVector(), state.encodeDeleteSet())
  expect(countSteps(decode())).toBeGreaterThanOrEqual((2 * MANY) / A_STEP)
  const decoded = atOnce(decode())
  expect(decoded.clocks).toEqual(state.clocks)
  expect(decoded.deleted).toEqual(state.deleted)
  expect(decoded.deletedRanges).toBe(MANY)
})

test('a delete set is read in parts, however its ranges are spread over clients', () => {
  const one = new Map([[7, everySecond()]])
  const many = new Map(Array.from({ length: MANY }, (_, i): [number, Ranges] => [MANY - i, [i, i + 1]]))
  for (const deletes of [one, many]) {
    const parts = [...readInParts(encodeDeleteSet(deletes))]
    for (const part of parts) expect([...part.values()].flat().length / 2).toBeLessThanOrEqual(A_STEP)
    const together = new KnownState()
    for (const part of parts) together.delete(part)
    expect(together.deleted).toEqual(deletes)
  }
})

test('steps are done one in a turn of the event loop', async () => {
  let done = 0
  function* steps(): Steps<string> {
    for (; done < 3; done++) yield
    return 'all'
  }
  const result = inTurns(steps())
  const seen: number[] = []
  while (done < 3) {
    await nextTurn()
    seen.push(done)
  }
  expect(seen).toEqual([1, 2, 3])
  expect(await result).toBe('all')
})
