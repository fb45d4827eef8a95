import type { Clock } from '../common/timing.ts'
import type { LoopCost } from './loop-cost.ts'
import { type PacingOptions, SHORTEST_REST_MS } from './pacing.ts'

/** A cycle of so many milliseconds of work is followed by the rest that makes it the configured share of time. */
const TYPICAL_WORK_MS = 5

/** How long cycles of work are remembered, in milliseconds: a cycle of that age counts a third. */
const MEMORY_MS = 1000

/** The longest wait for work that is remembered, in milliseconds, so that a pause of an hour is soon forgotten. */
const LONGEST_IDLE_MS = 100

/**
 * How long a rest may be, as a part of the time that the flushes take which it spares: the more of it, the less CPU an edit
 * costs, and the later it is shown (measured with 20 and 200 writers and 200 readers).
 */
const SPARED_PART = 0.75

/**
 * How long one document rests after each flush, so that its work takes about a set share of time. Work costs by how often it
 * is done and an edit is late by half of what lies between two flushes: the sum of both is least where rests grow with the
 * square root of the work. The rests of a document that is always busy are alike, because an edit that came just after a
 * longer one would be late: the latency that one in a hundred exceeds is that of the longest rests. None takes longer than
 * a part of what the flushes take which it spares.
 */
export class Cadence {
  readonly #options: PacingOptions
  readonly #clock: Pick<Clock, 'now'>
  readonly #loopCost: LoopCost
  /** Of the cycle that has not ended: what taking in its edits took, and how many these are. */
  #takingMs = 0
  #edits = 0
  /** Sums over the last cycles, the older ones for less. */
  #recent = { cycles: 0, workMs: 0, idleMs: 0, edits: 0 }
  #endedAt = 0
  /** How long the rest after the last cycle is, in milliseconds. */
  #restMs = 0

  constructor(options: PacingOptions, clock: Pick<Clock, 'now'>, loopCost: LoopCost) {
    this.#options = options
    this.#clock = clock
    this.#loopCost = loopCost
  }

  /** How many milliseconds of the rest after the last cycle are left. */
  restMs(): number {
    const leftMs = this.#endedAt + this.#restMs - this.#clock.now()
    return leftMs < SHORTEST_REST_MS ? 0 : leftMs
  }

  /** Counts an edit that the next flush will have. */
  took(startedAt: number): void {
    this.#takingMs += this.#clock.now() - startedAt
    this.#edits++
  }

  /** Counts a flush, which ends a cycle. */
  flushed(startedAt: number): void {
    const now = this.#clock.now()
    const workMs = this.#loopCost.of(this.#takingMs + now - startedAt)
    const idleMs = Math.max(now - this.#endedAt - this.#restMs - workMs, 0)
    const kept = Math.exp(-(now - this.#endedAt) / MEMORY_MS)
    const recent = this.#recent
    recent.cycles = recent.cycles * kept + 1
    recent.workMs = recent.workMs * kept + workMs
    recent.idleMs = recent.idleMs * kept + Math.min(idleMs, LONGEST_IDLE_MS)
    recent.edits = recent.edits * kept + this.#edits
    this.#takingMs = 0
    this.#edits = 0
    this.#endedAt = now
    this.#restMs = this.#nextRestMs()
  }

  /** What the mean cycle lacks of the rest that its work asks for. */
  #nextRestMs(): number {
    const { busyShare, maxGatherMs } = this.#options
    if (busyShare === 0) return maxGatherMs
    const { cycles, workMs, idleMs, edits } = this.#recent
    const meanWorkMs = workMs / cycles
    const wantedMs = (1 / busyShare - 1) * Math.sqrt(TYPICAL_WORK_MS * meanWorkMs)
    const lackingMs = wantedMs - idleMs / cycles
    const sparedMs = (meanWorkMs * edits) / cycles
    return Math.min(Math.max(lackingMs, 0), SPARED_PART * sparedMs, maxGatherMs)
  }
}
