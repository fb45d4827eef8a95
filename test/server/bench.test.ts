import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { findPostgres, NO_POSTGRES } from '../support/postgres.ts'
import { runNode } from '../support/process.ts'
import { cases } from '../support/runs.ts'

const BENCH = fileURLToPath(new URL('../bench/main.ts', import.meta.url))
const LOADS = ['fanout', 'documents', 'echo', 'trace', 'idle', 'big', 'presence', 'watchers', 'patch']
/** What differs from these only in how much is written, or in what trace. */
const ALIKE = ['burst', 'alltyping', 'longtrace']

test('each kind of load of the benchmark runs against the server and finds the content that it wrote', async () => {
  const loads = cases(LOADS, ALIKE)
  expect((await succeeding(loads)).toSorted()).toEqual(loads.toSorted())
}, 120_000)

test('so does each kind of load for several servers that share a database', async ({ skip }) => {
  if (findPostgres() === undefined) skip(NO_POSTGRES)
  const loads = cases(['across', 'hot'], ['fanout', 'documents'])
  const titles = loads.map((name) => `${name}-2`)
  expect((await succeeding(loads, '--nodes', '2')).toSorted()).toEqual(titles.toSorted())
}, 120_000)

/** Runs loads at their smallest, and resolves with those that succeed. */
async function succeeding(loads: readonly string[], ...more: readonly string[]): Promise<readonly string[]> {
  const args = ['--check', '--only', loads.join(), ...more]
  const exit = await runNode(onTestFinished, BENCH, args, { NODE_OPTIONS: '--import=tsx' })
  expect(exit.code, exit.stderr).toBe(0)
  return [...exit.stderr.matchAll(/^(\S+) on coedit, run 1 of 1: /gm)].map(([, name = '']) => name)
}
