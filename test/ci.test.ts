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

/** Runs what CI runs, with parts that do nothing but end in a certain way. */
async function runCi({
  check = FINE,
  tests,
  faults,
}: Parts): Promise<{ status: number | null; totals: string | undefined }> {
  const directory = await temporaryDirectory(onTestFinished)
  const npm = join(directory, 'npm')
  const cases = Object.entries({ ci: FINE, 'run check': check, test: tests, 'run test:faults': faults })
  const branches = cases.map(([words, code]) => `'${words}') ${code} ;;`)
  await writeFile(npm, `#!/bin/sh\ncase "$*" in\n${branches.join('\n')}\n*) exit 99 ;;\nesac\n`)
  await chmod(npm, 0o755)
  const { status, stdout } = spawnSync(CI, { env: { PATH: `${directory}:${process.env.PATH}` }, encoding: 'utf8' })
  return { status, totals: stdout.trimEnd().split('\n').at(-1) }
}

test.each<[string, Parts, number, string]>([
  ['both pass', { tests: 'echo 3 passed, 0 failed', faults: 'echo 2 passed, 0 failed' }, 0, '5 passed, 0 failed'],
  [
    'some are skipped',
    { tests: 'echo 3 passed, 0 failed, 1 skipped', faults: 'echo 2 passed, 0 failed, 10 skipped' },
    0,
    '5 passed, 0 failed, 11 skipped',
  ],
  [
    'tests fail',
    { tests: 'echo 3 passed, 2 failed; echo npm error >&2; exit 1', faults: 'echo 2 passed, 0 failed' },
    1,
    '5 passed, 2 failed',
  ],
  [
    'faults fail',
    { tests: 'echo 3 passed, 0 failed', faults: 'echo 1 passed, 1 failed; exit 1' },
    1,
    '4 passed, 1 failed',
  ],
  ['the build fails', { tests: 'exit 2', faults: 'echo 2 passed, 0 failed' }, 1, '2 passed, 1 failed'],
  ['one says nothing', { tests: 'echo 3 passed, 0 failed', faults: FINE }, 1, '3 passed, 1 failed'],
  [
    'one ends badly after its totals',
    { tests: 'echo 3 passed, 0 failed; exit 1', faults: 'echo 2 passed, 0 failed' },
    1,
    '5 passed, 1 failed',
  ],
  [
    'one fails and says it does not',
    { tests: 'echo 3 passed, 1 failed', faults: 'echo 2 passed, 0 failed' },
    1,
    '5 passed, 1 failed',
  ],
  [
    'the check fails',
    { check: 'exit 1', tests: 'echo 3 passed, 0 failed', faults: 'echo 2 passed, 0 failed' },
    1,
    '5 passed, 0 failed',
  ],
])('CI sums the tests of both parts and hides no failure: %s', async (_, parts, status, totals) => {
  expect(await runCi(parts)).toEqual({ status, totals })
})
