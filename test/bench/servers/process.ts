import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Dialect } from '../clients/dialect.ts'
import { within } from '../within.ts'
import type { RunningServer } from './server.ts'

const START_LIMIT_MS = 30_000
const STOP_LIMIT_MS = 30_000
const OUTPUT_KEPT = 4_000

interface Command {
  readonly name: string
  /** What follows `node`. */
  readonly args: readonly string[]
  readonly env?: NodeJS.ProcessEnv
  readonly cwd?: string
  readonly dialect: Dialect
  /** Matches the line that says the server is ready; its first group is the port. */
  readonly ready: RegExp
  readonly profileDirectory: string | undefined
}

export async function startProcess(command: Command): Promise<RunningServer> {
  const { profileDirectory } = command
  const profiling = profileDirectory ? ['--cpu-prof', `--cpu-prof-dir=${profileDirectory}`] : []
  // Only PATH is inherited: a COEDIT_ or NODE_ variable of the developer must not reach the servers.
  const child = spawn(process.execPath, [...profiling, ...command.args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH, ...command.env },
    cwd: command.cwd,
  })
  const output = collectOutput(child)
  const exited = once(child, 'exit')
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL')
    await exited
  }

  const failed = exited.then(([code, signal]) => {
    throw new Error(`${command.name} ended with ${code ?? signal} before it was ready:\n${output.text}`)
  })
  try {
    const port = await within(
      START_LIMIT_MS,
      `${command.name} to start`,
      Promise.race([output.match(command.ready), failed]),
    )
    failed.catch(() => undefined)
    return { urls: [`ws://127.0.0.1:${port}`], pids: [pidOf(child)], dialect: command.dialect, stop, kill }
  } catch (error) {
    await kill()
    throw error
  }

  async function stop(): Promise<void> {
    child.kill('SIGTERM')
    try {
      await within(STOP_LIMIT_MS, `${command.name} to stop`, exited)
    } catch (error) {
      await kill()
      throw error
    }
  }
}

function pidOf(child: ChildProcess): number {
  if (child.pid === undefined) throw new Error('The process could not be started.')
  return child.pid
}

/** The end of what a process prints, and a way to wait for a line of it. */
function collectOutput(child: ChildProcess) {
  let text = ''
  let look: () => void = () => undefined
  const take = (chunk: Buffer): void => {
    text = (text + chunk.toString()).slice(-OUTPUT_KEPT)
    look()
  }
  child.stdout?.on('data', take)
  child.stderr?.on('data', take)
  return {
    get text() {
      return text
    },
    match: (pattern: RegExp): Promise<string> =>
      new Promise((resolve) => {
        look = () => {
          const group = pattern.exec(text)?.[1]
          if (group !== undefined) resolve(group)
        }
        look()
      }),
  }
}
