import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Release } from './temporary.ts'

const PROGRAM = fileURLToPath(new URL('./storage-program.ts', import.meta.url))

/** What the program reports: that it has the directory open, or that an append was resolved. */
export type Report = { type: 'open' } | { type: 'acknowledged'; document: string; values: number[] }

/** A process of its own that has a LevelStorage open, and writes to it without end where `writes`. */
export interface StorageProcess {
  /** Calls `listener` for each report. */
  onReport(listener: (report: Report) => void): void
  kill(): Promise<void>
}

/** Resolves when the process has the directory open. */
export async function startStorageProcess(
  directory: string,
  release: Release,
  { writes }: { writes: boolean },
): Promise<StorageProcess> {
  const child = fork(PROGRAM, [directory, writes ? 'write' : 'hold'], { execArgv: ['--import', 'tsx'] })
  const kill = () => end(child)
  release(kill)
  const onReport = (listener: (report: Report) => void) => {
    child.on('message', (message) => {
      if (isReport(message)) listener(message)
    })
  }
  await new Promise<void>((resolve, reject) => {
    onReport(({ type }) => type === 'open' && resolve())
    child.once('exit', (code, signal) => reject(new Error(`the process ended (${code ?? signal}) before it was open`)))
  })
  return { kill, onReport }
}

/** The loader of TypeScript sends messages of its own. */
function isReport(message: unknown): message is Report {
  if (typeof message !== 'object' || message === null || !('type' in message)) return false
  return message.type === 'open' || message.type === 'acknowledged'
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}
