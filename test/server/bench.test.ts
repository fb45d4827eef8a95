import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { runNode } from '../support/process.ts'
import { cases } from '../support/runs.ts'

const BENCH = fileURLToPath(new URL('../bench/main.ts', import.meta.url))
const LOADS = ['fanout', 'documents', 'echo', 'trace', 'idle', 'big', 'presence']
/** What differs from these only in how much is written, or in what trace. */
const ALIKE = ['burst', 'alltyping', 'longtrace']

test('each kind of load of the benchmark runs against the server and finds the content that it wrote', async () => {
  const loads = cases(LOADS, ALIKE)
  const args = ['--check', '--only', loads.join()]
  const exit = await runNode(onTestFinished, BENCH, args, { NODE_OPTIONS: '--import=tsx' })
  const succeeded = [...exit.stderr.matchAll(/^(\w+) on coedit, run 1 of 1: /gm)].map(([, name]) => name)
  expect(succeeded.toSorted(), exit.stderr).toEqual(loads.toSorted())
  expect(exit.code).toBe(0)
}, 120_000)
