/**
 * How often a test with random input repeats: `n` times, or `n` × COEDIT_TEST_RUNS where that is set (`npm run
 * test:long`).
 */
export function runs(n: number): number {
  const factor = Number(process.env.COEDIT_TEST_RUNS ?? 1)
  if (!(factor > 0)) throw new Error(`COEDIT_TEST_RUNS is '${process.env.COEDIT_TEST_RUNS}': expected a number above 0`)
  return Math.ceil(n * factor)
}
