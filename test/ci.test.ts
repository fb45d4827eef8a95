import { spawnSync } from 'node:child_process'
import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { temporaryDirectory } from './support/temporary.ts'

const CI = fileURLToPath(new URL('../.ci/run', import.meta.url))
const FINE = 'exit 0'

/** Shell code that stands for what the commands do. */
interface Parts {
  readonly check?: string
  readonly tests: string
  readonly faults: string
}

interface Result {
  readonly status: number | null
  /** The last line. */
  readonly totals: string | undefined
  readonly lines: readonly string[]
}

/** Runs what CI runs, with parts that do nothing but end in a certain way. */
async function runCi({ check = FINE, tests, faults }: Parts): Promise<Result> {
  const directory = await temporaryDirectory(onTestFinished)
  const npm = join(directory, 'npm')
  const cases = Object.entries({ ci: FINE, 'run check': check, test: tests, 'run test:faults': faults })
  const branches = cases.map(([words, code]) => `'${words}') ${code} ;;`)
  await writeFile(npm, `#!/bin/sh\ncase "$*" in\n${branches.join('\n')}\n*) exit 99 ;;\nesac\n`)
  await chmod(npm, 0o755)
  const { status, stdout } = spawnSync(CI, { env: { PATH: `${directory}:${process.env.PATH}` }, encoding: 'utf8' })
  const lines = stdout.trimEnd().split('\n')
  return { status, totals: lines.at(-1), lines }
}

const TESTS = 'echo 3 passed, 0 failed'
const FAULTS = 'echo 2 passed, 0 failed'
const SKIPPING = 'echo 1 passed, 0 failed, 10 skipped'
const FAILING = 'echo 1 passed, 2 failed; echo npm error >&2; exit 1'

test.each<[string, Parts, number, string]>([
  ['both pass', { tests: TESTS, faults: FAULTS }, 0, '5 passed, 0 failed'],
  ['some are skipped', { tests: SKIPPING, faults: SKIPPING }, 0, '2 passed, 0 failed, 20 skipped'],
  ['tests fail', { tests: FAILING, faults: FAULTS }, 1, '3 passed, 2 failed'],
  ['faults fail', { tests: TESTS, faults: FAILING }, 1, '4 passed, 2 failed'],
  ['the build fails', { tests: 'exit 2', faults: FAULTS }, 1, '2 passed, 1 failed'],
  ['one says nothing', { tests: TESTS, faults: FINE }, 1, '3 passed, 1 failed'],
  ['one ends badly after its totals', { tests: `${TESTS}; exit 1`, faults: FAULTS }, 1, '5 passed, 1 failed'],
  ['one fails and ends well', { tests: 'echo 3 passed, 1 failed', faults: FAULTS }, 1, '5 passed, 1 failed'],
  ['the check fails', { check: 'exit 1', tests: TESTS, faults: FAULTS }, 1, '5 passed, 0 failed'],
])('CI sums the tests of both parts and hides no failure: %s', async (_, parts, status, totals) => {
  expect(await runCi(parts)).toMatchObject({ status, totals })
})

test('CI names once more before its totals what failed, wherever that was in the output', async () => {
  const tests = 'echo failed: a.test.ts: it broke; seq 100; echo 3 passed, 1 failed'
  const { lines } = await runCi({ tests, faults: FAULTS })
  expect(lines.slice(-2)).toEqual(['failed: a.test.ts: it broke', '5 passed, 1 failed'])
})
