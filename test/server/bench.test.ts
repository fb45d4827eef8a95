import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { findPostgres, NO_POSTGRES } from '../support/postgres.ts'
import { runNode } from '../support/process.ts'
import { hasGone, processTree } from '../support/process-tree.ts'
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

test('interrupted, it ends the server that it has started', async () => {
  const args = ['--import=tsx', '--conditions=@coedit/source', BENCH, '--only', 'fanout', '--servers', 'coedit']
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  const said = text(child.stderr)
  const exited = once(child, 'exit')
  let server: number | undefined
  while (server === undefined) {
    await nextTurn()
    server = processTree(child.pid ?? 0).find(isCoedit)
  }
  child.kill('SIGINT')
  expect(await exited).toEqual([1, null])
  expect(await said).toContain('Ended by SIGINT.')
  expect(isCoedit(server)).toBe(false)
}, 120_000)

/** Whether a process is there and is a server. */
function isCoedit(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('coedit.js')
  } catch (error) {
    if (hasGone(error)) return false
    throw error
  }
}

/** Runs loads at their smallest, and resolves with those that succeed. */
async function succeeding(loads: readonly string[], ...more: readonly string[]): Promise<readonly string[]> {
  const args = ['--check', '--only', loads.join(), ...more]
  const exit = await runNode(onTestFinished, BENCH, args, { NODE_OPTIONS: '--import=tsx' })
  expect(exit.code, exit.stderr).toBe(0)
  return [...exit.stderr.matchAll(/^(\S+) on coedit, run 1 of 1: /gm)].map(([, name = '']) => name)
}
