import { statfsSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'

/** statfs(2). */
const TMPFS_MAGIC = 0x01021994

/** The date and what the figures were measured on. */
export function describeMachine(now: Date, dataDirectory: string): string {
  const processors = cpus()
  const onDisk = statfsSync(dataDirectory).type !== TMPFS_MAGIC
  return [
    now.toISOString().slice(0, 10),
    processors[0]?.model.trim() ?? 'unknown processor',
    `${processors.length} cores`,
    `${Math.round(totalmem() / 2 ** 30)} GiB`,
    `Node ${process.version}`,
    onDisk ? 'data on disk' : 'DATA IN MEMORY (tmpfs), so that syncing costs nothing: choose another --data',
  ].join(', ')
}
