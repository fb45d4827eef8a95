import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { launchChromium } from '../support/chromium.ts'
import { openPage, pane, stateIs, textIs } from '../support/demo.ts'
import { pathOf } from '../support/papers.ts'
import { findPostgres, NO_POSTGRES } from '../support/postgres.ts'
import { findProgram } from '../support/programs.ts'

const release = onTestFinished

/** The processes that descend from this one, by what Linux says of each. */
function descendantsOf(pid: number): number[] {
  const parents = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => [Number(name), parentOf(name)] as const)
  const below = (parent: number): number[] =>
    parents.flatMap(([child, its]) => (its === parent ? [child, ...below(child)] : []))
  return below(pid)
}

/** Undefined for a process that has ended. */
function parentOf(pid: string): number | undefined {
  try {
    // The name of the program, in brackets, may hold any character. Who is a zombie (Z) has ended, and waits to be asked how.
    const [, parent] = /^\d+ \(.*\) [^Z] (\d+)/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? []
    return parent === undefined ? undefined : Number(parent)
  } catch {
    return undefined
  }
}

test('npm run dev:cluster serves three servers as one, says on which each editor is, and leaves nothing behind', async ({
  skip,
}) => {
  if (process.platform !== 'linux') return skip('only Linux tells which processes there are')
  if (findPostgres() === undefined) return skip(NO_POSTGRES)
  if (findProgram('nginx') === undefined) return skip('no nginx found')
  const { scripts } = JSON.parse(readFileSync(pathOf('package.json'), 'utf8'))
  const [, program = ''] = /&& node (.*)$/.exec(scripts['dev:cluster']) ?? []
  const child = spawn(process.execPath, program.split(' '), {
    cwd: pathOf(''),
    env: { PATH: process.env.PATH },
    detached: true,
  })
  const exited = once(child, 'exit')
  release(async () => {
    child.kill('SIGINT')
    await exited
  })
  let output = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output += text))
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text
      const found = /behind nginx: (\S+)\n(.*\n){3}/.exec(output)?.[1]
      if (found !== undefined) resolve(found)
    })
    child.once('exit', () => reject(new Error(output)))
  })

  const browser = await launchChromium()
  release(() => browser.close())
  const page = await openPage(browser, `${url}d/notes`, release, { viewport: { width: 1280, height: 800 } })
  await stateIs(page, 'Saved', 0)
  await stateIs(page, 'Saved', 1)
  const nodes = await Promise.all([0, 1].map((index) => pane(page, index).locator('.node').innerText()))
  expect(nodes.toSorted()).toEqual([expect.stringMatching(/^on node-[123]$/), expect.stringMatching(/^on node-[123]$/)])
  expect(nodes[0]).not.toBe(nodes[1])
  await pane(page, 0).locator('textarea').focus()
  await page.keyboard.type('from one server to another')
  await textIs(page, 'from one server to another', 1)

  const running = descendantsOf(child.pid ?? 0)
  // Three servers, and of PostgreSQL and nginx several processes each.
  expect(running.length).toBeGreaterThan(6)
  // As a terminal does, which sends it to all of them.
  process.kill(-(child.pid ?? 0), 'SIGINT')
  expect(await exited).toEqual([0, null])
  // What compiles for tsx notices a moment later that nobody asks any more.
  while (running.some((pid) => parentOf(`${pid}`) !== undefined)) await nextTurn()
})
