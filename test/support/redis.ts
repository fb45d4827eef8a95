import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { freePorts } from './ports.ts'
import { canInstall, findProgram, install } from './programs.ts'
import { type Release, temporaryDirectory } from './temporary.ts'

/** Why tests are skipped that need it. */
export const NO_REDIS = 'no Redis found: install redis-server with the package manager of your system'

const READY = 'Ready to accept connections'

/** Installs Redis where that needs nobody's consent. Elsewhere the tests that need it are skipped, and say so. */
export function provideRedis(): void {
  if (findRedis() === undefined && canInstall()) install('redis-server')
}

export function findRedis(): string | undefined {
  return findProgram('redis-server', 'valkey-server')
}

/** A Redis on 127.0.0.1 that keeps nothing. */
export interface RedisServer {
  readonly url: string
  /** Ends it at once. */
  kill(): Promise<void>
  /** Starts it again at the same port. */
  restart(): Promise<void>
}

/** Starts a Redis and waits until it takes connections. */
export async function startRedis(release: Release): Promise<RedisServer> {
  const program = findRedis()
  if (program === undefined) throw new Error(NO_REDIS)
  const directory = await temporaryDirectory(release)
  const [port] = await freePorts(1)
  let child: ChildProcess | undefined
  const restart = async (): Promise<void> => {
    const flags = ['--bind', '127.0.0.1', '--port', `${port}`, '--save', '', '--appendonly', 'no', '--dir', directory]
    const started = spawn(program, flags)
    child = started
    let output = ''
    const ended = once(started, 'exit').then(() => {
      throw new Error(`Redis has ended:\n${output}`)
    })
    const ready = new Promise<void>((resolve) => {
      started.stdout.on('data', (chunk: Buffer) => {
        output += chunk.toString()
        if (output.includes(READY)) resolve()
      })
    })
    await Promise.race([ready, ended])
    ended.catch(() => undefined)
  }
  const kill = async (): Promise<void> => {
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
  }
  await restart()
  release(kill)
  return { url: `redis://127.0.0.1:${port}`, kill, restart }
}
