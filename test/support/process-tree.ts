import { readdirSync, readFileSync } from 'node:fs'

/** The process with this id and all that it has started, directly or not, as Linux' /proc tells them. */
export function processTree(root: number): number[] {
  const children = childrenByParent()
  const found = [root]
  for (const pid of found) found.push(...(children.get(pid) ?? []))
  return found
}

/** Sends a signal to a process and to all that it has started. Nothing of it runs meanwhile, so none of it is missed. */
export function signalTree(root: number, signal: NodeJS.Signals): void {
  for (const pid of stoppedTree(root)) send(pid, signal)
}

/** Stops one after the other, so that none starts others that would not be found. */
function stoppedTree(root: number): ReadonlySet<number> {
  const stopped = new Set<number>()
  for (;;) {
    const running = processTree(root).filter((pid) => !stopped.has(pid) && send(pid, 'SIGSTOP'))
    if (running.length === 0) return stopped
    for (const pid of running) stopped.add(pid)
  }
}

/** Returns whether it was there. */
function send(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal)
  } catch (error) {
    if (hasGone(error)) return false
    throw error
  }
}

function childrenByParent(): ReadonlyMap<number, readonly number[]> {
  const children = new Map<number, number[]>()
  for (const name of readdirSync('/proc')) {
    const pid = Number(name)
    const parent = Number.isInteger(pid) ? parentOf(pid) : undefined
    if (parent === undefined) continue
    const siblings = children.get(parent) ?? []
    children.set(parent, siblings)
    siblings.push(pid)
  }
  return children
}

function parentOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name, in parentheses, may hold blanks: count from its end, where the state (field 3) stands.
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
  } catch (error) {
    if (hasGone(error)) return undefined
    throw error
  }
}

/** Whether a process has ended between the listing and this. */
export function hasGone(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH')
}
