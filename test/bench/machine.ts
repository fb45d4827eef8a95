import { cpus, totalmem } from 'node:os'

/** The date and what the figures were measured on. */
export function describeMachine(now: Date): string {
  const processors = cpus()
  const memory = Math.round(totalmem() / 2 ** 30)
  return `${now.toISOString().slice(0, 10)}, ${processors[0]?.model.trim()}, ${processors.length} cores, ${memory} GiB, Node ${process.version}`
}
