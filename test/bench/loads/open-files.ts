import { readFileSync } from 'node:fs'

/** Throws unless this process, and so the server that it starts, may have `count` files open. Node raises the soft limit. */
export function requireOpenFiles(count: number): void {
  const limits = readFileSync('/proc/self/limits', 'utf8')
  const limit = Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1])
  if (limit < count) throw new Error(`This load needs ${count} open files and may have ${limit}: raise "ulimit -Hn".`)
}
