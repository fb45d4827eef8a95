import fc from 'fast-check'
import { expect, test } from 'vitest'
import { IdSet, RangeList } from '../../server/src/protocol/update/id-set.ts'
import { below, RangeCollector, type Ranges, union } from '../../server/src/protocol/update/ranges.ts'
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

function pairsOf(ranges: Ranges): [number, number][] {
  return Array.from({ length: ranges.length / 2 }, (_, i) => [ranges[2 * i], ranges[2 * i + 1]])
}

/** The ranges [0, 1), [2, 3), … */
function everySecond(count: number): Ranges {
  return Array.from({ length: 2 * count }, (_, i) => i)
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

test('a set takes ranges and tells which brought something new', () => {
  fc.assert(
    fc.property(fc.array(unordered, { maxLength: 6 }), (additions) => {
      const set = new IdSet()
      const model = new Set<number>()
      for (const pairs of additions) {
        const ranges = collected(pairs)
        const news = pairsOf(ranges).filter((range) => [...clocksIn([range])].some((clock) => !model.has(clock)))
        for (const clock of clocksIn(pairs)) model.add(clock)
        expect(set.add(7, ranges)).toEqual(news.flat())
        expect(set.ranges.get(7) ?? []).toEqual(rangesOf(model))
        expect(set.size).toBe(rangesOf(model).length / 2)
        expect(set.has(7, ranges)).toBe(true)
      }
    }),
    { numRuns: runs(1000) },
  )
})

test('a list of many ranges takes others anywhere', () => {
  const clock = fc.nat(9999)
  fc.assert(
    fc.property(fc.array(fc.tuple(clock, fc.oneof(fc.integer({ min: 1, max: 5 }), clock))), (additions) => {
      const list = new RangeList(everySecond(5000))
      const pairs = pairsOf(everySecond(5000))
      for (const [start, length] of additions) {
        list.add(start, start + length + 1)
        pairs.push([start, start + length + 1])
      }
      expect(list.toRanges()).toEqual(union(pairs))
      expect(list.size).toBe(union(pairs).length / 2)
      expect(pairs.every(([start, end]) => list.has(start, end))).toBe(true)
    }),
    { numRuns: runs(100) },
  )
})

test('ranges lie in blocks that stay small, however many are added in one place', () => {
  const list = new RangeList(everySecond(100_000))
  for (let i = 0; i < 50_000; i++) list.add(200_000 + 2 * i, 200_001 + 2 * i)
  for (let i = 0; i < 50_000; i++) list.add(400_000 - 2 * i, 400_001 - 2 * i)
  expect(list.size).toBe(200_000)
  expect(list.blocks).toBeGreaterThan(200_000 / 512)
})

test('one range that spans a million others is one new range', () => {
  const set = new IdSet()
  set.add(7, everySecond(1_000_000))
  expect(set.add(7, [0, 2_000_000])).toEqual([0, 2_000_000])
  expect(set.ranges.get(7)).toEqual([0, 2_000_000])
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
