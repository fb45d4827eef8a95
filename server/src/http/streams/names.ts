import type { EventOutput } from './event-output.ts'
import type { NameChange, NamesFeed } from './names-feed.ts'
import type { Source } from './source.ts'

/** Which documents change, of those whose names begin alike, for one reader: a slow one is told of each once. */
export class Names implements Source {
  readonly prefix: string
  readonly #feed: NamesFeed
  #output: EventOutput | undefined
  /** The last change that it was told; undefined where it has to begin anew. */
  #number: number | undefined
  #isBehind = true

  constructor(feed: NamesFeed, prefix: string, lastEventId: string) {
    this.#feed = feed
    this.prefix = prefix
    this.#number = feed.numberOf(lastEventId)
  }

  async prepare(): Promise<void> {}

  begin(output: EventOutput): void {
    this.#output = output
    this.#feed.add(this)
    this.resume()
  }

  /** A document has changed that it is to be told of. */
  tell({ bytes, number }: NameChange): void {
    const output = this.#output
    if (!output || this.#isBehind) return
    if (output.isFull) {
      this.#isBehind = true
      // Of what came before, it has missed nothing.
      this.#number = number - 1
      return
    }
    output.write(bytes)
    this.#number = number
  }

  /** It is not known any more what has changed. */
  miss(): void {
    this.#isBehind = true
    this.#number = undefined
    this.resume()
  }

  resume(): void {
    const [output, feed] = [this.#output, this.#feed]
    if (!output || output.isFull || !this.#isBehind) return
    const changes = this.#number === undefined ? undefined : feed.since(this.#number, this.prefix)
    if (!changes) output.write(feed.reset())
    for (const { bytes, number } of changes ?? []) {
      if (output.isFull) return
      output.write(bytes)
      this.#number = number
    }
    this.#number = feed.number
    this.#isBehind = false
  }

  end(): void {
    this.#feed.delete(this)
  }
}
