import fc from 'fast-check'
import { expect, test } from 'vitest'
import { below, IdSet, RangeCollector, type Ranges, union } from '../../server/src/protocol/ranges.ts'
import { runs } from '../support/runs.ts'

/** Ranges within 60 clocks, so that they meet, in any order. */
const unordered = fc
  .array(fc.tuple(fc.nat(59), fc.integer({ min: 1, max: 8 })), { maxLength: 30 })
  .map((pairs) => pairs.map(([start, length]): [number, number] => [start, start + length]))

function clocksIn(pairs: Iterable<readonly [number, number]>): Set<number> {
  const clocks = new Set<number>()
  for (const [start, end] of pairs) for (let clock = start; clock < end; clock++) clocks.add(clock)
  return clocks
}

/** The one list of ranges that has these clocks. */
function rangesOf(clocks: ReadonlySet<number>): Ranges {
  const ranges: Ranges = []
  for (const clock of [...clocks].sort((a, b) => a - b)) {
    if (ranges.at(-1) === clock) ranges[ranges.length - 1]++
    else ranges.push(clock, clock + 1)
  }
  return ranges
}

function collected(pairs: readonly (readonly [number, number])[]): Ranges {
  const collector = new RangeCollector()
  for (const [start, end] of pairs) collector.add(start, end)
  return collector.finish()
}

test('ranges that come in any order are sorted and merged', () => {
  fc.assert(
    fc.property(unordered, (pairs) => {
      expect(collected(pairs)).toEqual(rangesOf(clocksIn(pairs)))
      expect(union(pairs)).toEqual(rangesOf(clocksIn(pairs)))
    }),
    { numRuns: runs(1000) },
  )
})

test('a set takes ranges and tells which were new', () => {
  fc.assert(
    fc.property(fc.array(unordered, { maxLength: 6 }), (additions) => {
      const set = new IdSet()
      const model = new Set<number>()
      for (const pairs of additions) {
        const fresh = new Set([...clocksIn(pairs)].filter((clock) => !model.has(clock)))
        for (const clock of fresh) model.add(clock)
        expect(set.add(7, collected(pairs))).toEqual(rangesOf(fresh))
        expect(set.ranges.get(7) ?? []).toEqual(rangesOf(model))
      }
    }),
    { numRuns: runs(1000) },
  )
})

test('what lies below a clock', () => {
  fc.assert(
    fc.property(unordered, fc.nat(70), (pairs, end) => {
      const expected = rangesOf(new Set([...clocksIn(pairs)].filter((clock) => clock < end)))
      expect(below(collected(pairs), end)).toEqual(expected)
    }),
    { numRuns: runs(1000) },
  )
})

test('ranges that repeat by the thousand take no memory', () => {
  const collector = new RangeCollector()
  for (let i = 0; i < 1_000_000; i++) collector.add(i % 2 ? 0 : 2, i % 2 ? 1 : 3)
  expect(collector.size).toBeLessThan(10_000)
  expect(collector.finish()).toEqual([0, 1, 2, 3])
})
