import { hasCode } from '../../common/errors.ts'
import type { EventOutput } from './event-output.ts'
import type { Source } from './source.ts'

/** The last event of a stream whose document is deleted. */
const GONE = Buffer.from('event: gone\ndata: {"code":"GONE"}\n\n')

/** Several kinds of events for one reader. A slow one has no queue: each source goes on from where it is. */
export class EventStream {
  readonly #output: EventOutput
  readonly #sources: readonly Source[]
  readonly #onFailed: (error: unknown) => void
  #hasEnded = false

  /** @param onFailed told why the stream could not go on, once */
  constructor(output: EventOutput, sources: readonly Source[], onFailed: (error: unknown) => void) {
    this.#output = output
    this.#sources = sources
    this.#onFailed = onFailed
  }

  /** Rejects where a source cannot be had; nothing is written then. */
  async open(headersOf: () => Headers): Promise<void> {
    try {
      for (const source of this.#sources) if (!this.#hasEnded) await source.prepare()
    } catch (error) {
      if (this.#hasEnded) return
      for (const source of this.#sources) source.end()
      throw error
    }
    if (this.#hasEnded) return
    this.#output.open(headersOf(), () => this.#resume())
    for (const source of this.#sources) source.begin(this.#output, (error) => this.#stopped(error))
  }

  end(): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    for (const source of this.#sources) source.end()
    this.#output.end()
  }

  #resume(): void {
    for (const source of this.#sources) source.resume()
  }

  #stopped(error: unknown): void {
    if (this.#hasEnded) return
    const isGone = hasCode(error, 'GONE')
    if (isGone) this.#output.write(GONE)
    this.end()
    if (error !== undefined && !isGone) this.#onFailed(error)
  }
}
