/**
 * How often a test with random input repeats: `n` times, or `n` × COEDIT_TEST_RUNS where that is set (`npm run
 * test:long`).
 */
export function runs(n: number): number {
  const factor = Number(process.env.COEDIT_TEST_RUNS ?? 1)
  if (!(factor > 0)) throw new Error(`COEDIT_TEST_RUNS is '${process.env.COEDIT_TEST_RUNS}': expected a number above 0`)
  return Math.ceil(n * factor)
}

/** Whether COEDIT_TEST_RUNS is set, to whatever: then nothing is left out for the time that it takes. */
export function isLong(): boolean {
  return process.env.COEDIT_TEST_RUNS !== undefined
}

/** Whether what is attacked is one of several servers: so the project `besieged` has it (vitest.config.ts). */
export function manyNodes(): boolean {
  return process.env.COEDIT_TEST_CLUSTER !== undefined
}

/** The cases of a test that takes long for each of them: those `first` in `npm test`, and then all in `npm run test:long`. */
export function cases<T>(first: readonly T[], others: readonly T[]): readonly T[] {
  return isLong() ? [...first, ...others] : first
}
