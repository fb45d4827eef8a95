import { expect, test } from 'vitest'
import { MemoryTrend } from './memory-trend.ts'

test('the trend of memory is the line through all but the first quarter, however they scatter', () => {
  const trend = new MemoryTrend()
  for (const mebibytes of [10, 500]) trend.add(0, mebibytes)
  for (let minute = 1; minute <= 6; minute++) trend.add(minute, 100 + 3 * minute + (minute % 2 ? 0.2 : -0.2))
  expect(trend.slope).toBeCloseTo(3, 0)
  expect(trend.rise).toBeCloseTo(5 * trend.slope)
  expect(trend.highest).toBe(500)
})

test('steady memory has no trend', () => {
  const trend = new MemoryTrend()
  for (let minute = 0; minute < 8; minute++) trend.add(minute, 80)
  expect(trend.slope).toBe(0)
})
