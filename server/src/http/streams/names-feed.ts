import { randomBytes } from 'node:crypto'
import { cursorId } from '../../document/cursor-id.ts'
import type { Documents } from '../../document/documents.ts'

/** Documents of which it is remembered when they changed last, for those who come back or are slow. */
const MAX_REMEMBERED = 10_000

const RESET = Buffer.from('event: reset\ndata: {}\n\n')

interface Reader {
  readonly prefix: string
  /** A document has changed that it is to be told of. */
  tell(change: NameChange): void
  /** It is not known any more what has changed. */
  miss(): void
}

/** That a document has changed. */
export interface NameChange {
  readonly document: string
  readonly incarnation: number
  readonly position: number
  /** Changes of all documents in the order in which this server heard of them. */
  readonly number: number
  /** Made once for all, when it is first sent. */
  readonly bytes: Uint8Array
}

/**
 * What changes of all documents, as events for all who are told of some. Each document is remembered by its last change
 * alone. It listens from the first reader on.
 */
export class NamesFeed {
  readonly #documents: Documents
  /** Tells ids of this server from those of others, and of an earlier one. */
  readonly #life = randomBytes(6).toString('hex')
  readonly #byPrefix = new Map<string, Set<Reader>>()
  /** The one that changed longest ago first. */
  readonly #last = new Map<string, NameChange>()
  #number = 0
  /** Changes up to this one are not known any more. */
  #floor = 0
  #isListening = false

  constructor({ documents }: { readonly documents: Documents }) {
    this.#documents = documents
  }

  /** Of the last change. */
  get number(): number {
    return this.#number
  }

  add(reader: Reader): void {
    if (!this.#isListening) this.#listen()
    const readers = this.#byPrefix.get(reader.prefix) ?? new Set()
    this.#byPrefix.set(reader.prefix, readers.add(reader))
  }

  delete(reader: Reader): void {
    const readers = this.#byPrefix.get(reader.prefix)
    if (readers?.delete(reader) && readers.size === 0) this.#byPrefix.delete(reader.prefix)
  }

  /** The change after which a reader goes on that names this event; undefined where that is not known. */
  numberOf(lastEventId: string): number | undefined {
    const [life, number = ''] = lastEventId.split('.')
    return life === this.#life && /^\d{1,15}$/.test(number) ? Number(number) : undefined
  }

  /** What has changed since, each document once; undefined where that is not known. */
  since(number: number, prefix: string): Iterable<NameChange> | undefined {
    if (number < this.#floor || number > this.#number) return undefined
    return [...this.#last.values()].filter((one) => one.number > number && one.document.startsWith(prefix))
  }

  /** The id of the event about a change. */
  idOf(number: number): string {
    return `${this.#life}.${number}`
  }

  /** An event that says that all that was told before may be outdated; it has no id, for those who are told all anew. */
  resetAll(): Uint8Array {
    return RESET
  }

  /** An event that says that any document may have changed. */
  reset(): Uint8Array {
    return Buffer.from(`event: reset\ndata: {}\nid: ${this.idOf(this.#number)}\n\n`)
  }

  /** To the end of the server, which has one feed. */
  #listen(): void {
    this.#isListening = true
    // Nobody has heard what was before.
    this.#floor = this.#number
    this.#documents.watch({
      onCommit: (document, at) => this.#note(document, at.incarnation, at.position),
      onMissed: () => this.#miss(),
    })
  }

  #note(document: string, incarnation: number, position: number): void {
    const known = this.#last.get(document)
    // Another server and this one may both tell of it.
    if (known?.incarnation === incarnation && known.position >= position) return
    const change = this.#changeOf(document, incarnation, position)
    this.#last.delete(document)
    this.#last.set(document, change)
    const [oldest] = this.#last.values()
    if (oldest && this.#last.size > MAX_REMEMBERED) {
      this.#last.delete(oldest.document)
      this.#floor = oldest.number
    }
    for (const [prefix, readers] of this.#byPrefix) {
      if (document.startsWith(prefix)) for (const reader of readers) reader.tell(change)
    }
  }

  #miss(): void {
    this.#floor = ++this.#number
    for (const readers of this.#byPrefix.values()) for (const reader of readers) reader.miss()
  }

  #changeOf(document: string, incarnation: number, position: number): NameChange {
    const number = ++this.#number
    const cursor = cursorId({ incarnation, position })
    const id = this.idOf(number)
    let made: Uint8Array | undefined
    return {
      document,
      incarnation,
      position,
      number,
      get bytes() {
        made ??= Buffer.from(`data: ${JSON.stringify({ document, cursor })}\nid: ${id}\n\n`)
        return made
      },
    }
  }
}
