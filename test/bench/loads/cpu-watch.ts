import { readFileSync } from 'node:fs'
import type { Usage } from '../servers/usage.ts'
import type { Metric } from './load.ts'

const TICK_MS = 10

/** Since the watch began: milliseconds of CPU of the server, and cores that others took meanwhile. */
export interface CpuSpent {
  readonly serverMs: number
  readonly seconds: number
  readonly clients: number
  readonly strangers: number
}

/** Rows that say whether the others of a load can be trusted. */
export const SURROUNDINGS: readonly Metric[] = [
  { key: 'clients', label: "the clients' own CPU (near 1: they were the limit)", unit: 'cores' },
  { key: 'strangers', label: 'CPU of unrelated processes (high: the times mean little)', unit: 'cores' },
]

/** Which part of the first row is of what all nodes share, and so grows with all of them together. */
export const BACKING: Metric = { key: 'backing', label: 'of it PostgreSQL or Redis', unit: 'µs' }

/** Begins to watch where the machine's CPU time goes. */
export function watchCpu(usage: Usage): () => CpuSpent {
  const server = usage.cpuMs()
  const own = process.cpuUsage()
  const busy = busyMs()
  const start = performance.now()
  return () => {
    const ms = performance.now() - start
    const serverMs = usage.cpuMs() - server
    const { user, system } = process.cpuUsage(own)
    const ownMs = (user + system) / 1000
    const strangersMs = Math.max(0, busyMs() - busy - serverMs - ownMs)
    return { serverMs, seconds: ms / 1000, clients: ownMs / ms, strangers: strangersMs / ms }
  }
}

/** CPU time that the whole machine has spent since it started; waiting for a disk is not spending. */
function busyMs(): number {
  const [, user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = readFileSync('/proc/stat', 'utf8')
    .split('\n', 1)
    .flatMap((line) => line.split(/\s+/).map(Number))
  return (user + nice + system + irq + softirq) * TICK_MS
}
