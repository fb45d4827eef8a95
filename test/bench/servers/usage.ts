import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

const TICK_MS = 10
const NS_PER_MS = 1e6

/** CPU time and memory of another process, all its threads together, as Linux' /proc tells them. */
export class Usage {
  readonly #proc: string
  /** Nanoseconds by thread; one that has ended keeps the last value seen. */
  readonly #threads = new Map<string, number>()

  constructor(pid: number) {
    this.#proc = `/proc/${pid}`
  }

  /**
   * CPU time in milliseconds since the process began. The process' total comes in ticks of 10 ms; the threads' own
   * figures are exact but end with the thread. Neither exceeds the truth, so the larger is the better one.
   */
  cpuMs(): number {
    for (const thread of readdirSync(`${this.#proc}/task`)) this.#readThread(thread)
    let exact = 0
    for (const ns of this.#threads.values()) exact += ns / NS_PER_MS
    return Math.max(exact, this.#ticks() * TICK_MS)
  }

  /** Resident memory in KiB: now, and the highest since the start or the last `resetPeak`. */
  memory(): { residentKiB: number; peakKiB: number } {
    const status = readFileSync(`${this.#proc}/status`, 'utf8')
    return { residentKiB: field(status, 'VmRSS'), peakKiB: field(status, 'VmHWM') }
  }

  resetPeak(): void {
    writeFileSync(`${this.#proc}/clear_refs`, '5')
  }

  /**
   * Waits until the process has used less than 5 % of a core for `quietMs`, so that work that it put off counts as
   * well.
   */
  async settle(quietMs: number, limitMs = 240_000): Promise<void> {
    const step = quietMs / 5
    let quiet = 0
    let before = this.cpuMs()
    for (let waited = 0; quiet < quietMs; waited += step) {
      if (waited > limitMs) throw new Error(`The server was still busy after ${limitMs / 1000} s.`)
      await sleep(step)
      const now = this.cpuMs()
      quiet = now - before < Math.max(step * 0.05, TICK_MS * 2) ? quiet + step : 0
      before = now
    }
  }

  #readThread(thread: string): void {
    try {
      const [ns] = readFileSync(`${this.#proc}/task/${thread}/schedstat`, 'utf8').split(' ')
      this.#threads.set(thread, Number(ns))
    } catch (error) {
      if (!isGone(error)) throw error
    }
  }

  #ticks(): number {
    const stat = readFileSync(`${this.#proc}/stat`, 'utf8')
    // The name, in parentheses, may hold blanks: count from its end, where the state (field 3) stands.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return Number(fields[11]) + Number(fields[12])
  }
}

function field(status: string, name: string): number {
  const value = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]
  if (value === undefined) throw new Error(`/proc has no ${name}.`)
  return Number(value)
}

/** A thread may end between the listing and the reading. */
function isGone(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH')
}
