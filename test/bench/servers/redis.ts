import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { freePorts } from '../../support/ports.ts'
import { canInstall, findProgram, install } from '../../support/programs.ts'
import type { Release } from '../../support/temporary.ts'

const READY = 'Ready to accept connections'

/**
 * Starts a Redis that tells and keeps nothing on disk. Installs it where that needs nobody's consent.
 *
 * @throws Error with what it said
 */
export async function startRedis(release: Release, directory: string): Promise<{ port: number; pid: number }> {
  if (findProgram('redis-server') === undefined && canInstall()) install('redis-server')
  const program = findProgram('redis-server')
  if (program === undefined)
    throw new Error('no redis-server found: install it with the package manager of your system')
  const [port] = await freePorts(1)
  const child = spawn(program, ['--bind', '127.0.0.1', '--port', `${port}`, '--dir', directory, '--save', ''])
  const exited = once(child, 'exit')
  release(async () => {
    child.kill('SIGKILL')
    await exited
  })
  const said: string[] = []
  for await (const line of createInterface(child.stdout)) {
    if (line.includes(READY)) {
      // Whoever does not read what it says has it stop some day.
      child.stdout.resume()
      return { port, pid: child.pid ?? 0 }
    }
    said.push(line)
  }
  throw new Error(`redis-server ended before it was ready:\n${said.join('\n')}`)
}
