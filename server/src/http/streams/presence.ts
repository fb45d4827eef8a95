import type { EventOutput } from './event-output.ts'
import type { PresenceFeed } from './presence-feed.ts'
import type { Source } from './source.ts'

/** Who is in a document, for one reader: everybody, then what changes; everybody again where it was too slow for that. */
export class Presence implements Source {
  readonly #feedOf: () => PresenceFeed
  #feed: PresenceFeed | undefined
  #output: EventOutput | undefined
  #onEnd: (error?: unknown) => void = () => undefined
  #version: number | undefined

  /** @param feedOf finds the feed, once the reader is admitted */
  constructor(feedOf: () => PresenceFeed) {
    this.#feedOf = feedOf
  }

  async prepare(): Promise<void> {
    this.#feed = this.#feedOf()
    this.#feed.add(this)
    await this.#feed.begun
  }

  begin(output: EventOutput, onEnd: (error?: unknown) => void): void {
    this.#output = output
    this.#onEnd = onEnd
    this.resume()
  }

  resume(): void {
    const [output, feed] = [this.#output, this.#feed]
    if (!output || !feed || output.isFull || this.#version === feed.version) return
    output.write(feed.since(this.#version))
    this.#version = feed.version
  }

  end(): void {
    this.#feed?.delete(this)
  }

  stop(error?: unknown): void {
    this.#onEnd(error)
  }
}
