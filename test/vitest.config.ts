import { configDefaults, defineConfig } from 'vitest/config'
import { runs } from './support/runs.ts'

/** What takes minutes, and shows little more to somebody who has changed a line: for CI and before a release. */
const FAULTS = ['faults/faults.test.ts', 'fuzz/minute.test.ts']

/** What installs hundreds of megabytes, for `npm run test:long` alone. */
const LONG = 'long/**'

/** Workspace packages resolve to their sources, here and in the processes that run the tests. */
const SOURCE = '@coedit/source'

export default defineConfig(({ mode }) => {
  // Shells differ in how a script sets a variable.
  if (mode === 'long') process.env.COEDIT_TEST_RUNS ??= '20'
  const long = process.env.COEDIT_TEST_RUNS === undefined ? [LONG] : []
  return {
    root: import.meta.dirname,
    resolve: { conditions: [SOURCE, 'module', 'node', 'development|production'] },
    ssr: { resolve: { conditions: [SOURCE, 'module', 'node', 'development|production'] } },
    test: {
      projects: [
        {
          extends: true,
          test: { name: 'tests', include: ['**/*.test.ts'], exclude: [...configDefaults.exclude, ...FAULTS, ...long] },
        },
        { extends: true, test: { name: 'faults', include: FAULTS } },
      ],
      globalSetup: ['support/setup.ts'],
      reporters: ['default', './support/reporter.ts'],
      pool: 'forks',
      // Two: a server and a browser that a test file starts need the cores as well.
      maxWorkers: 2,
      execArgv: [`--conditions=${SOURCE}`],
      // A backstop for what hangs, far above what any test takes; with more runs a test may take longer.
      testTimeout: Math.max(60_000, runs(60_000)),
      hookTimeout: 60_000,
    },
  }
})
