import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { type Exit, runNode } from '../support/process.ts'
import { FAULTS } from './all.ts'
import { isFine, report } from './report.ts'

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url))

function run(...args: readonly string[]): Promise<Exit> {
  return runNode(onTestFinished, MAIN, args, { NODE_OPTIONS: '--import=tsx' })
}

test('the runner injects the faults that are named, as often as it is told, and reports them as a table', async () => {
  const { code, stdout, stderr } = await run('second', '--count', '1', '--seed', '7')
  expect(stderr).toContain('seed 7')
  expect(stdout).toMatch(/^\| second \| 1 \| \d+ \| 0 \| .*\| holds \|$/m)
  expect(code).toBe(0)
})

test('the first part of names stands for all that begin with it', async () => {
  const { code, stdout } = await run('cluster', '--list')
  const names = FAULTS.map(({ name }) => name).filter((name) => name.startsWith('cluster-'))
  expect([...stdout.matchAll(/^([a-z-]+): /gm)].map(([, name]) => name)).toEqual(names)
  expect(code).toBe(0)
})

test.each([
  [['nothing'], 'There is no "nothing"'],
  [['--count', '0'], '--count takes a whole number'],
  [['--unknown'], '--unknown'],
])('the runner refuses %j and says how it is used', async (args, message) => {
  const { code, stderr } = await run(...args)
  expect(stderr).toContain(message)
  expect(stderr).toContain('npm run faults --')
  expect(code).toBe(2)
})

test('what is broken and what fails make the run fail; what is skipped is told, and does not hold', () => {
  const [fault] = FAULTS
  const broken = { fault, seconds: 1, result: { injected: 2, promised: 3, broken: ["'one': lost"] } }
  const failed = { fault, seconds: 1, result: { failed: 'no answer\nand a stack' } }
  const skipped = { fault, seconds: 0, result: { skipped: 'needs root' } }
  expect([broken, failed, skipped].map(isFine)).toEqual([false, false, true])
  const text = report([broken, failed, skipped])
  expect(text).toContain("- broken by kill: 'one': lost")
  for (const result of ['BROKEN', 'FAILED: no answer', 'SKIPPED: needs root']) expect(text).toContain(`| ${result} |`)
})
