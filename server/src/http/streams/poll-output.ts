import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { Cancel } from '../../common/timing.ts'
import { beginAnswer, EventOutput, type Written } from './event-output.ts'

/** What happens within this time goes into one answer. */
const GATHER_MS = 100

/** An answer that ends soon after something has come, or in silence, for who gets nothing of it before its end. */
export class PollOutput extends EventOutput {
  #cancelEnd: Cancel | undefined

  override write(bytes: Uint8Array, what: Written = 'news'): void {
    super.write(bytes, what)
    if (what === 'news') this.#cancelEnd ??= this.clock.after(GATHER_MS, () => this.end())
    if (what !== 'part') return
    this.#cancelEnd?.()
    this.#cancelEnd = undefined
  }

  override end(): void {
    this.#cancelEnd?.()
    super.end()
  }

  /** The next request comes on the same connection. */
  protected override begin(answer: ServerResponse, headers: OutgoingHttpHeaders): ServerResponse {
    return beginAnswer(answer, headers)
  }

  protected override silent(): void {
    this.end()
  }
}
