import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, onTestFinished, test } from 'vitest'
import { configFromProcess } from '../../server/src/config/config.ts'
import { filledIn, paper } from '../support/papers.ts'
import { runCoedit, runNode, startServer } from '../support/process.ts'
import { findProgram } from '../support/programs.ts'
import { allRead, freshCopy, syncedClient, textOf } from '../support/stock-clients.ts'
import { temporaryDirectory } from '../support/temporary.ts'

const release = onTestFinished
const execute = promisify(execFile)

/** `systemd-analyze security` counts from 0 (nothing is open to a service) to 10; it calls up to 2 "OK", from 5 on "exposed". */
const MOST_EXPOSED = 2

/** The variables that the container sets. */
async function containerEnvironment(): Promise<NodeJS.ProcessEnv> {
  const [, line = ''] = /^ENV (.*)$/m.exec(await paper('server/deploy/Dockerfile')) ?? []
  return Object.fromEntries(line.split(' ').map((pair) => pair.split('=')))
}

/** The program of the container's health check. */
async function healthCheck(): Promise<string> {
  const [, command = ''] = /^HEALTHCHECK .*CMD (\[.*\])$/m.exec(await paper('server/deploy/Dockerfile')) ?? []
  const [node, flag, program]: string[] = JSON.parse(command)
  expect([node, flag]).toEqual(['node', '-e'])
  const path = join(await temporaryDirectory(release), 'health-check.mjs')
  await writeFile(path, program)
  return path
}

describe('the Dockerfile', () => {
  test('sets options under which others reach the server with authentication, and nobody without', async () => {
    const env = await containerEnvironment()
    const { code, stderr } = await runCoedit(release, [], env)
    expect([code, stderr]).toEqual([2, expect.stringContaining('HOST_NEEDS_AUTH')])
    const config = configFromProcess([], { ...env, COEDIT_AUTH_SECRET: 's'.repeat(32) })
    expect(config).toMatchObject({ host: '0.0.0.0', port: 1234, data: '/data' })
  })

  test.each(['', '/team'])(
    'has a health check that tells a server from none, below the base path "%s"',
    async (basePath) => {
      const server = await startServer({ release, env: { COEDIT_BASE_PATH: basePath } })
      const env = { COEDIT_PORT: new URL(server.url).port, ...(basePath && { COEDIT_BASE_PATH: basePath }) }
      const program = await healthCheck()
      expect(await runNode(release, program, [], env)).toMatchObject({ code: 0, stderr: '' })
      await server.kill()
      expect(await runNode(release, program, [], env)).toMatchObject({ code: 1, stderr: '' })
    },
  )
})

describe('the systemd units', () => {
  test.for([
    ['coedit.service', 'coedit.service'],
    ['coedit@.service', 'coedit@4001.service'],
  ])('%s is one that systemd takes without a word, and leaves little open', async ([file, unit], { skip }) => {
    const analyze = findProgram('systemd-analyze')
    if (analyze === undefined) return skip('no systemd-analyze found: install systemd')
    const path = join(await temporaryDirectory(release), unit)
    await writeFile(path, filledIn(await paper(`server/deploy/${file}`), { '/usr/bin/node': process.execPath }))
    expect(await execute(analyze, ['verify', path])).toEqual({ stdout: '', stderr: '' })
    const { stdout } = await execute(analyze, ['security', '--offline=true', path])
    const [, exposure] = /Overall exposure level for coedit\S*\.service: ([\d.]+)/.exec(stdout) ?? []
    expect(Number(exposure)).toBeLessThanOrEqual(MOST_EXPOSED)
  })
})

describe('another runtime', () => {
  test.for<[string, string[]]>([
    ['bun', []],
    ['deno', ['run', '-A']],
  ])('%s serves, stores and stops as Node does', async ([name, args], { skip }) => {
    const program = findProgram(name)
    if (program === undefined) return skip(`no ${name} found: npm install --global ${name}`)
    const runtime = [program, ...args]
    const env = { HOME: await temporaryDirectory(release) }
    const first = await startServer({ release, runtime, env })
    const there = { release, document: 'some/notes' }
    const writer = await syncedClient({ ...there, url: first.url })
    const text = 'more than is taken in one turn '.repeat(10_000)
    textOf(writer).insert(0, text)
    await allRead([await syncedClient({ ...there, url: first.url })], text)
    expect(await (await fetch(`${first.url}health`)).json()).toEqual({ status: 'ok' })
    expect(await first.kill('SIGTERM')).toMatchObject({ code: 0, signal: null })
    const second = await startServer({ release, runtime, env, data: first.data })
    expect(textOf({ doc: await freshCopy({ ...there, url: second.url }) }).toString()).toBe(text)
  })
})
