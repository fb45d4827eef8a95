import { expect } from 'vitest'
import type { SiegeReport } from './siege.ts'

/** Far above what other work on the machine adds; `npm run fuzz` on a quiet one says how long the server really is away. */
const LONGEST_WAIT_MS = 5_000
const PEAK_MIB = 512

/** Nobody found anything wrong, and there was somebody who could. */
export function expectUnharmed({ finds, promises, peakMiB, waits }: SiegeReport): void {
  expect(finds).toEqual([])
  expect(promises).toBeGreaterThan(0)
  expect(peakMiB).toBeLessThan(PEAK_MIB)
  expect(waits.longest).toBeLessThan(LONGEST_WAIT_MS)
}
