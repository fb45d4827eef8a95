import { describe, expect, test } from 'vitest'
import { Cadence } from '../../server/src/document/cadence.ts'
import { LoopCost } from '../../server/src/document/loop-cost.ts'
import { ManualClock } from '../support/manual-clock.ts'

/** A document whose work takes as long as the test has it, on an event loop that may be busy with more. */
function documentWith({ busyShare = 0.25, maxGatherMs = 25, loopFactor = 1 } = {}) {
  const clock = new ManualClock()
  let workedMs = 0
  const loopCost = new LoopCost(clock, () => workedMs * loopFactor)
  const cadence = new Cadence({ busyShare, maxGatherMs }, clock, loopCost)
  const work = (ms: number) => {
    workedMs += ms
    clock.advance(ms)
  }
  /** A flush of so many edits, after the rest and so much more time. */
  const cycle = (flushMs: number, { edits = 1, idleMs = 0, takingMs = 0 } = {}) => {
    clock.advance(cadence.restMs() + idleMs)
    for (let edit = 0; edit < edits; edit++) {
      const startedAt = clock.now()
      work(takingMs)
      cadence.took(startedAt)
    }
    const startedAt = clock.now()
    work(flushMs)
    cadence.flushed(startedAt)
    return cadence.restMs()
  }
  /** The rest that many such cycles come to. */
  const restAfter = (cycles: number, ...args: Parameters<typeof cycle>) => {
    let rest = 0
    for (let count = 0; count < cycles; count++) rest = cycle(...args)
    return rest
  }
  return { clock, cadence, cycle, restAfter }
}

describe('the rest of a document', () => {
  test.for([
    [0.25, 5, 15],
    [0.5, 5, 5],
    [0.625, 5, 3],
  ] as const)('makes its work a share of %f of the time: %f ms are followed by %f', ([busyShare, flushMs, restMs]) => {
    const { restAfter } = documentWith({ busyShare })
    expect(restAfter(1000, flushMs, { edits: 9 })).toBeCloseTo(restMs)
  })

  test('grows with the square root of the work', () => {
    expect(documentWith({ busyShare: 0.5 }).restAfter(1000, 5 / 4, { edits: 9 })).toBeCloseTo(5 / 2, 1)
    expect(documentWith({ busyShare: 0.5 }).restAfter(1000, 5 * 4, { edits: 9 })).toBeCloseTo(5 * 2, 1)
  })

  test('is shorter by what it waits for edits and the disk anyway', () => {
    const { restAfter } = documentWith()
    expect(restAfter(1000, 5, { edits: 9, idleMs: 4 })).toBeCloseTo(11)
    expect(restAfter(1000, 5, { edits: 9, idleMs: 16 })).toBe(0)
  })

  test('counts what taking in its edits takes', () => {
    const { restAfter } = documentWith()
    expect(restAfter(1000, 3, { edits: 8, takingMs: 0.25 })).toBeCloseTo(15)
  })

  test('counts what the event loop does for it beside', () => {
    const { restAfter } = documentWith({ loopFactor: 2, maxGatherMs: 100 })
    expect(restAfter(1000, 2.5, { edits: 99, idleMs: 3 })).toBeCloseTo(14.5)
  })

  test('is no longer than three quarters of the flushes that it spares, however busy the document', () => {
    const { restAfter } = documentWith({ busyShare: 0.1 })
    expect(restAfter(1000, 2)).toBeCloseTo(1.5, 1)
    expect(restAfter(1000, 2, { edits: 3 })).toBeCloseTo(4.5, 1)
  })

  test('hardly changes by one flush that takes ten times as long', () => {
    const { restAfter, cycle } = documentWith({ maxGatherMs: 100 })
    const usual = restAfter(1000, 2, { edits: 9 })
    expect(cycle(20, { edits: 9 })).toBeLessThan(usual * 1.2)
  })

  test('is never longer than maxGatherMs', () => {
    const { restAfter } = documentWith({ maxGatherMs: 25 })
    expect(restAfter(10, 1000, { edits: 9 })).toBe(25)
  })

  test('is none for the first flushes after a pause, and soon what it was before', () => {
    const { clock, restAfter } = documentWith()
    const usual = restAfter(1000, 3, { edits: 9 })
    clock.advance(3_600_000)
    expect(restAfter(5, 3, { edits: 9 })).toBe(0)
    expect(restAfter(500, 3, { edits: 9 })).toBeCloseTo(usual)
  })

  test('is none at a share of 1, and always maxGatherMs at a share of 0', () => {
    expect(documentWith({ busyShare: 1 }).restAfter(100, 20, { edits: 9 })).toBe(0)
    expect(documentWith({ busyShare: 0 }).restAfter(1, 0)).toBe(25)
  })

  test('goes down as time goes by, and ends where a timer would be too coarse', () => {
    const { clock, cadence, restAfter } = documentWith()
    restAfter(1000, 5, { edits: 9 })
    clock.advance(4)
    expect(cadence.restMs()).toBeCloseTo(11)
    clock.advance(10.5)
    expect(cadence.restMs()).toBe(0)
  })
})
