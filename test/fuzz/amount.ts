import type { Options } from './options.ts'

/** How many inputs come next, told how many there were: parts of a count, or `most` at a time until the time is over. */
export function partsOf(amount: Options['amount'], most: number): (done: number) => number {
  if ('count' in amount) return (done) => Math.min(most, amount.count - done)
  const end = performance.now() + amount.minutes * 60_000
  return () => (performance.now() < end ? most : 0)
}
