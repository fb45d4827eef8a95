import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Release } from '../support/temporary.ts'

const PROGRAM = fileURLToPath(new URL('./reading-program.ts', import.meta.url))

/** What a storage makes of a directory. */
export type Read =
  | { readonly outcome: 'served'; readonly documents: readonly ReadDocument[]; readonly isReported: boolean }
  | { readonly outcome: 'refused'; readonly code: string }
  /** An assertion of LevelDB failed, which ends the process. */
  | { readonly outcome: 'aborted' }

export interface ReadDocument {
  readonly document: string
  readonly head: number
  readonly updates: readonly Uint8Array[]
  /** The number of an entry that was appended after reading. */
  readonly next: number
}

/** Reads directories in a process of its own, which some damage ends. */
export class DirectoryReader {
  #child: ChildProcess | undefined

  constructor(release: Release) {
    release(async () => {
      if (this.#child?.kill('SIGKILL')) await once(this.#child, 'exit')
    })
  }

  async read(directory: string): Promise<Read> {
    const child = this.#child ?? this.#start()
    child.send(directory)
    return new Promise((resolve, reject) => {
      const onMessage = (message: unknown) => {
        if (!isRead(message)) return
        leave()
        resolve(message)
      }
      const onExit = (code: number | null, signal: NodeJS.Signals | null) => {
        leave()
        this.#child = undefined
        if (signal === 'SIGABRT') resolve({ outcome: 'aborted' })
        else reject(new Error(`the reading process ended with ${code ?? signal}`))
      }
      const leave = () => child.off('message', onMessage).off('exit', onExit)
      child.on('message', onMessage).on('exit', onExit)
    })
  }

  #start(): ChildProcess {
    this.#child = fork(PROGRAM, [], {
      execArgv: ['--import', 'tsx'],
      serialization: 'advanced',
      // What LevelDB says of a failed assertion is no news.
      stdio: ['ignore', 'inherit', 'ignore', 'ipc'],
    })
    return this.#child
  }
}

/** The loader of TypeScript sends messages of its own. */
function isRead(message: unknown): message is Read {
  return typeof message === 'object' && message !== null && 'outcome' in message
}
