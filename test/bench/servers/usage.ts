import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { hasGone, processTree } from '../../support/process-tree.ts'

const TICK_MS = 10
const NS_PER_MS = 1e6

/** The share of a core that a process takes at most which has nothing to do, and all of them where they are few. */
const IDLE_SHARE = 0.02
const IDLE_SHARE_OF_ALL = 0.05
/** The same of a process that is profiled: the profiler alone takes 0.03 (Node 20). */
const PROFILED_SHARE = 0.06

/** CPU time and memory of other processes and of all that they start, as Linux' /proc tells them. */
export class Usage {
  readonly #roots: readonly number[]
  readonly #processes = new Map<number, ProcessTime>()
  readonly #idleShare: number

  constructor(roots: readonly number[], isProfiled = false) {
    this.#roots = roots
    this.#idleShare = Math.max(IDLE_SHARE_OF_ALL, (isProfiled ? PROFILED_SHARE : IDLE_SHARE) * roots.length)
  }

  /** CPU time in milliseconds since the processes began; of those that have ended too. */
  cpuMs(): number {
    let sum = 0
    for (const pid of this.#pids()) sum += this.#timeOf(pid)
    return sum
  }

  /** Resident memory in KiB: now, and the highest since the start or the last `resetPeak`. What is shared counts for each. */
  memory(): { residentKiB: number; peakKiB: number } {
    const all = this.#pids().map((pid) => readFileSync(`/proc/${pid}/status`, 'utf8'))
    const sumOf = (name: string) => all.reduce((sum, status) => sum + field(status, name), 0)
    return { residentKiB: sumOf('VmRSS'), peakKiB: sumOf('VmHWM') }
  }

  resetPeak(): void {
    for (const pid of this.#pids()) writeFileSync(`/proc/${pid}/clear_refs`, '5')
  }

  /**
   * Waits until all of them together have used no more than they do when idle for `quietMs`, so that work that was put off
   * counts as well.
   */
  async settle(quietMs: number, limitMs = 240_000): Promise<void> {
    const step = quietMs / 5
    let quiet = 0
    let before = this.cpuMs()
    for (let waited = 0; quiet < quietMs; waited += step) {
      if (waited > limitMs) throw new Error(`The server was still busy after ${limitMs / 1000} s.`)
      await sleep(step)
      const now = this.cpuMs()
      quiet = now - before < Math.max(step * this.#idleShare, TICK_MS * 2) ? quiet + step : 0
      before = now
    }
  }

  #pids(): number[] {
    return this.#roots.flatMap(processTree)
  }

  /** 0 for a process that has ended: its parent has the time of its children that have. */
  #timeOf(pid: number): number {
    const time = this.#processes.get(pid) ?? new ProcessTime(pid)
    this.#processes.set(pid, time)
    try {
      return time.cpuMs()
    } catch (error) {
      if (hasGone(error)) return 0
      throw error
    }
  }
}

/** CPU time of one process, and of those of its children that have ended. */
class ProcessTime {
  readonly #proc: string
  /** Nanoseconds by thread; one that has ended keeps the last value seen. */
  readonly #threads = new Map<string, number>()

  constructor(pid: number) {
    this.#proc = `/proc/${pid}`
  }

  /**
   * In milliseconds. The process' total comes in ticks of 10 ms; the threads' own figures are exact but end with the
   * thread. Neither exceeds the truth, so the larger is the better one.
   */
  cpuMs(): number {
    for (const thread of readdirSync(`${this.#proc}/task`)) this.#readThread(thread)
    let exact = 0
    for (const ns of this.#threads.values()) exact += ns / NS_PER_MS
    const { own, children } = this.#ticks()
    return Math.max(exact, own * TICK_MS) + children * TICK_MS
  }

  #readThread(thread: string): void {
    try {
      const [ns] = readFileSync(`${this.#proc}/task/${thread}/schedstat`, 'utf8').split(' ')
      this.#threads.set(thread, Number(ns))
    } catch (error) {
      if (!hasGone(error)) throw error
    }
  }

  #ticks(): { readonly own: number; readonly children: number } {
    const stat = readFileSync(`${this.#proc}/stat`, 'utf8')
    // The name, in parentheses, may hold blanks: count from its end, where the state (field 3) stands.
    const fields = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number)
    const [user = 0, system = 0, childrenUser = 0, childrenSystem = 0] = fields.slice(11, 15)
    return { own: user + system, children: childrenUser + childrenSystem }
  }
}

function field(status: string, name: string): number {
  const value = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]
  if (value === undefined) throw new Error(`/proc has no ${name}.`)
  return Number(value)
}
