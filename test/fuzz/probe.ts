import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { Release } from '../support/temporary.ts'

/** How long an innocent connection waited for the answer to a ping, in milliseconds. */
export interface Waits {
  readonly count: number
  readonly median: number
  readonly p99: number
  readonly longest: number
}

export interface Probe {
  /** All waits so far. */
  waits(): Promise<Waits>
}

/** Keeps asking the server for a sign of life, in a thread of its own: what else this process does must not count. */
export async function startProbe(release: Release, url: string): Promise<Probe> {
  const worker = new Worker(new URL('./probe-thread.mjs', import.meta.url), { workerData: url, execArgv: [] })
  release(async () => {
    await worker.terminate()
  })
  await once(worker, 'message')
  return {
    waits: async () => {
      worker.postMessage('waits')
      const [waits]: Waits[] = await once(worker, 'message')
      return waits
    },
  }
}
