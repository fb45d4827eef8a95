import { configDefaults, defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'
import { isLong, runs } from './support/runs.ts'

/** What takes minutes, and shows little more to somebody who has changed a line: for CI and before a release. */
const FAULTS = ['faults/faults.test.ts', 'faults/cluster-faults.test.ts', 'fuzz/minute.test.ts']

/** What starts many servers, and ends them: beside the faults, and in `npm run test:long`. */
const OUTAGES = [
  'e2e/cluster-proxies.test.ts',
  'faults/convergence.test.ts',
  'server/bench.test.ts',
  'server/cluster-presence.test.ts',
  'server/hooks-cluster.test.ts',
  'server/postgres-failover.test.ts',
  'server/webhooks-kill.test.ts',
]

/** What installs hundreds of megabytes, for `npm run test:long` alone. */
const LONG = 'long/**'

/** What vandals send, once more to one of several servers that share a PostgreSQL. The others are about one alone. */
const BESIEGED = 'server/hostile-!(readers|refused).test.ts'

/** What opens pages in a browser. */
const PAGES = ['e2e/**/*.test.ts', 'editors/**/*.test.ts']

/** Workspace packages resolve to their sources, here and in the processes that run the tests. */
const SOURCE = '@coedit/source'

/** What takes longest, in the order in which it begins: left to the end, one worker would wait for the other. */
const LONGEST = [
  'faults/faults.test.ts',
  'faults/cluster-faults.test.ts',
  'fuzz/minute.test.ts',
  'server/bench.test.ts',
  'e2e/cluster-proxies.test.ts',
  'server/copy.test.ts',
  'server/deletion.test.ts',
  'server/history.test.ts',
  'server/postgres-storage.test.ts',
  'server/import.test.ts',
]

/** Workers are kept from one file to the next where both are of one project: the pages come first, in one go. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isPage = (file: TestSpecification) => file.project.name === 'pages'
    const place = (file: TestSpecification) => LONGEST.findIndex((name) => file.moduleId.endsWith(name))
    const rank = (file: TestSpecification) => (place(file) < 0 ? LONGEST.length : place(file))
    const order = (a: TestSpecification, b: TestSpecification) =>
      Number(isPage(b)) - Number(isPage(a)) || rank(a) - rank(b)
    return (await super.sort(files)).sort(order)
  }
}

export default defineConfig(({ mode }) => {
  // Shells differ in how a script sets a variable.
  if (mode === 'long') process.env.COEDIT_TEST_RUNS ??= '20'
  const exclude = [...configDefaults.exclude, ...FAULTS, ...(isLong() ? [] : [LONG, ...OUTAGES])]
  return {
    root: import.meta.dirname,
    resolve: { conditions: [SOURCE, 'module', 'node', 'development|production'] },
    ssr: { resolve: { conditions: [SOURCE, 'module', 'node', 'development|production'] } },
    test: {
      projects: [
        {
          extends: true,
          test: { name: 'pages', include: PAGES, exclude },
        },
        {
          extends: true,
          test: { name: 'tests', include: ['**/*.test.ts'], exclude: [...exclude, ...PAGES] },
        },
        { extends: true, test: { name: 'faults', include: [...FAULTS, ...OUTAGES] } },
        {
          extends: true,
          // What starts the PostgreSQL is imported by each file anew.
          test: { name: 'besieged', include: [BESIEGED], isolate: true, env: { COEDIT_TEST_CLUSTER: 'yes' } },
        },
      ],
      globalSetup: ['support/setup.ts'],
      reporters: ['default', './support/reporter.ts'],
      pool: 'forks',
      // What files import takes a second to load: once in a worker. Each undoes what it changes of the process.
      isolate: false,
      // More than two cores: while one test waits for the disk or for a deadline, another can go on.
      maxWorkers: 3,
      sequence: { sequencer: LongestFirst },
      // With a larger young generation the tests take an eighth less of CPU time.
      execArgv: [`--conditions=${SOURCE}`, '--max-semi-space-size=64'],
      // A backstop for what hangs, far above what any test takes; with more runs a test may take longer.
      testTimeout: Math.max(120_000, runs(60_000)),
      hookTimeout: 60_000,
    },
  }
})
