import type { EventOutput } from './event-output.ts'
import type { Source } from './source.ts'
import type { ValueFeed } from './value-feed.ts'

/** How one root of a document changes, for one reader: the value first, unless it goes on behind an event. */
export class Values implements Source {
  readonly #feedOf: () => ValueFeed
  readonly #lastEventId: string
  #feed: ValueFeed | undefined
  #output: EventOutput | undefined
  #onEnd: (error?: unknown) => void = () => undefined
  /** Up to where it was told; undefined where it has to begin anew. */
  #position: number | undefined
  #isBeginning = false
  #hasEnded = false

  /** @param feedOf finds the feed, once the reader is admitted */
  constructor(feedOf: () => ValueFeed, lastEventId: string) {
    this.#feedOf = feedOf
    this.#lastEventId = lastEventId
  }

  /** Rejects with EDIT_CONFLICT where the root is no text and is to be one, with DOCUMENT_UNREADABLE, and as joining does. */
  async prepare(): Promise<void> {
    this.#feed = this.#feedOf()
    this.#feed.add(this)
    this.#position = await this.#feed.begin(this.#lastEventId)
  }

  begin(output: EventOutput, onEnd: (error?: unknown) => void): void {
    this.#output = output
    this.#onEnd = onEnd
    this.resume()
  }

  /** Writes what is new, as far as the output takes it. */
  resume(): void {
    const [output, feed] = [this.#output, this.#feed]
    if (!output || !feed || output.isFull || this.#isBeginning || this.#hasEnded) return
    const events = this.#position === undefined ? undefined : feed.since(this.#position)
    if (!events) {
      void this.#beginAnew(output, feed)
      return
    }
    for (const { bytes, position } of events) {
      if (output.isFull) return
      output.write(bytes)
      this.#position = position
    }
  }

  end(): void {
    this.#hasEnded = true
    this.#feed?.delete(this)
  }

  /** The feed has ended. */
  stop(error: unknown): void {
    this.#onEnd(error)
  }

  async #beginAnew(output: EventOutput, feed: ValueFeed): Promise<void> {
    this.#isBeginning = true
    try {
      const { bytes, position } = await feed.value()
      if (this.#hasEnded) return
      output.write(bytes)
      this.#position = position
    } catch (error) {
      this.#onEnd(error)
    } finally {
      this.#isBeginning = false
    }
    this.resume()
  }
}
