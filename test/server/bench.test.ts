import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { runNode } from '../support/process.ts'

const BENCH = fileURLToPath(new URL('../bench/main.ts', import.meta.url))
const LOADS = ['fanout', 'burst', 'alltyping', 'documents', 'echo', 'trace', 'longtrace', 'idle', 'big', 'presence']

test('every load of the benchmark runs against the server and finds the content that it wrote', async () => {
  const exit = await runNode(onTestFinished, BENCH, ['--check'], { NODE_OPTIONS: '--import=tsx' })
  const succeeded = [...exit.stderr.matchAll(/^(\w+) on coedit, run 1 of 1: /gm)].map(([, name]) => name)
  expect(succeeded, exit.stderr).toEqual(LOADS)
  expect(exit.code).toBe(0)
}, 120_000)
