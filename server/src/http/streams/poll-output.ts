import type { ServerResponse } from 'node:http'
import type { Cancel, Clock } from '../../common/timing.ts'
import { EventOutput, type Written } from './event-output.ts'

/** What happens within this time goes into one answer. */
const GATHER_MS = 100

/** An answer that ends soon after something has come, for who gets nothing of it before its end. */
export class PollOutput extends EventOutput {
  readonly #clock: Clock
  #cancelEnd: Cancel | undefined

  /** @param answer ends when nothing has come for `keepAliveMs` */
  constructor(answer: ServerResponse, clock: Clock, keepAliveMs: number) {
    super(answer, clock, keepAliveMs)
    this.#clock = clock
    answer.once('close', () => this.#cancelEnd?.())
  }

  override write(bytes: Uint8Array, what: Written = 'news'): void {
    super.write(bytes, what)
    if (what === 'news') this.#cancelEnd ??= this.#clock.after(GATHER_MS, () => this.end())
    if (what !== 'part') return
    this.#cancelEnd?.()
    this.#cancelEnd = undefined
  }

  protected override silent(): void {
    this.end()
  }
}
