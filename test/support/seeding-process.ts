import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Release } from './temporary.ts'

const PROGRAM = fileURLToPath(new URL('./seeding-program.ts', import.meta.url))

export interface SeedingOptions {
  readonly release: Release
  readonly data: string
  readonly document: string
  readonly text: string
  /** How many turns of the event loop the process lives on after its hook has answered. */
  readonly killAfterTurns: number
}

/** Opens a new document in a server of its own process, which is killed while the document is seeded. */
export async function openSeedingServer(options: SeedingOptions): Promise<void> {
  const { release, data, document, text, killAfterTurns } = options
  const child = fork(PROGRAM, [data, document, text, `${killAfterTurns}`], {
    execArgv: ['--import', 'tsx', '--conditions=@coedit/source'],
  })
  release(async () => {
    child.kill('SIGKILL')
  })
  const [, signal]: unknown[] = await once(child, 'exit')
  if (signal !== 'SIGKILL') throw new Error('the process was not killed while it seeded a document')
}
