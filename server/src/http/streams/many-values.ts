import type { Clock } from '../../common/timing.ts'
import type { WatchedRoot } from '../../content/requests.ts'
import type { Catalog } from '../../storage/catalog.ts'
import type { DocumentValues } from './document-values.ts'
import type { EventOutput } from './event-output.ts'
import type { NameChange, NamesFeed } from './names-feed.ts'
import type { Source } from './source.ts'

/** Names that are read at a time from the catalog. */
const PAGE = 100
/** Changes that a reader remembers by itself; of more it asks the feed. */
const MAX_PENDING = 1_000

const END = Buffer.from('\n')
/** Whatever is there. */
const ANYWHERE = { incarnation: 0, position: 0 }

export interface ManyValuesContext {
  readonly clock: Clock
  readonly catalog: Catalog
  readonly feed: NamesFeed
  readonly values: DocumentValues
  /** How long changes gather before their values are read. */
  readonly gatherMs: number
}

/**
 * Values of all documents whose names begin alike, for one reader: those of all at the beginning, and then of each that has
 * changed. Who is slow is sent what is there when it has time.
 */
export class ManyValues implements Source {
  readonly prefix: string
  readonly #root: WatchedRoot
  readonly #context: ManyValuesContext
  #output: EventOutput | undefined
  #onEnd: (error?: unknown) => void = () => undefined
  /** The last change of which it was sent the value; undefined where it has to begin anew. */
  #number: number | undefined
  /** What has changed since, by document; nothing where the feed has to be asked. */
  readonly #pending = new Map<string, NameChange>()
  #isBehind = true
  #isSending = false
  #hasEnded = false
  #drained: () => void = () => undefined

  constructor(prefix: string, root: WatchedRoot, lastEventId: string, context: ManyValuesContext) {
    this.prefix = prefix
    this.#root = root
    this.#context = context
    this.#number = context.feed.numberOf(lastEventId)
  }

  async prepare(): Promise<void> {}

  begin(output: EventOutput, onEnd: (error?: unknown) => void): void {
    this.#output = output
    this.#onEnd = onEnd
    this.#context.feed.add(this)
    this.#sendIn(0)
  }

  /** A document has changed whose value it is to be sent. */
  tell(change: NameChange): void {
    if (!this.#isBehind) {
      this.#pending.delete(change.document)
      this.#pending.set(change.document, change)
    }
    if (this.#pending.size > MAX_PENDING) this.#fallBehind()
    this.#sendIn(this.#context.gatherMs)
  }

  /** It is not known any more what has changed. */
  miss(): void {
    this.#number = undefined
    this.#fallBehind()
    this.#sendIn(0)
  }

  resume(): void {
    this.#drained()
  }

  end(): void {
    this.#hasEnded = true
    this.#context.feed.delete(this)
    this.#drained()
  }

  #fallBehind(): void {
    this.#pending.clear()
    this.#isBehind = true
  }

  #sendIn(delayMs: number): void {
    if (this.#isSending || this.#hasEnded) return
    this.#isSending = true
    this.#context.clock.after(delayMs, () => {
      this.#send()
        .catch(this.#onEnd)
        .finally(() => {
          this.#isSending = false
          if (this.#isBehind || this.#pending.size > 0) this.#sendIn(this.#context.gatherMs)
        })
    })
  }

  /** Sends all that has changed by now. */
  async #send(): Promise<void> {
    const { feed } = this.#context
    const { number } = feed
    const changes = this.#takeChanges()
    this.#isBehind = false
    if (!changes) {
      // What changes meanwhile comes again behind it.
      this.#number = number
      await this.#sendAnew()
      return
    }
    for (const change of changes) {
      await this.#sendValue(change.document, change, Buffer.from(`id: ${feed.idOf(change.number)}\n`))
      // It has missed something meanwhile, or is gone.
      if (this.#number === undefined || this.#hasEnded) return
      this.#number = change.number
    }
  }

  /** Undefined where it is not known what has changed. */
  #takeChanges(): readonly NameChange[] | undefined {
    const pending = [...this.#pending.values()]
    this.#pending.clear()
    if (this.#number === undefined) return undefined
    if (!this.#isBehind) return pending
    const changes = this.#context.feed.since(this.#number, this.prefix)
    return changes && [...changes]
  }

  /** Without ids: who breaks off here begins anew. */
  async #sendAnew(): Promise<void> {
    const { catalog, feed } = this.#context
    await this.#write(feed.resetAll())
    for (let after: string | undefined; ; ) {
      const names = await catalog.list(this.prefix, after, PAGE)
      for (const name of names) {
        if (this.#hasEnded) return
        await this.#sendValue(name, ANYWHERE)
      }
      after = names.at(-1)
      if (names.length < PAGE) return
    }
  }

  async #sendValue(
    document: string,
    place: Pick<NameChange, 'incarnation' | 'position'>,
    id?: Uint8Array,
  ): Promise<void> {
    const { bytes } = await this.#context.values.at(document, this.#root, place)
    await this.#write(bytes, ...(id ? [id] : []), END)
  }

  /** Waits for a reader that has not taken what was written before. */
  async #write(...parts: readonly Uint8Array[]): Promise<void> {
    while (this.#output?.isFull && !this.#hasEnded) {
      await new Promise<void>((resolve) => {
        this.#drained = resolve
      })
    }
    if (!this.#hasEnded) for (const part of parts) this.#output?.write(part)
  }
}
