import { CoeditError, hasCode } from '../../common/errors.ts'
import type { Contents, Watching } from '../../content/contents.ts'
import type { WatchedRoot, WatchNews } from '../../content/requests.ts'
import { cursorId, placeOf } from '../../document/cursor-id.ts'
import type { Documents } from '../../document/documents.ts'
import type { Place } from '../../document/in-process.ts'

/** Bytes of changes that are kept for those who come back or are slow; who needs older ones begins anew with the value. */
const MAX_KEPT_BYTES = 256 * 1024

/** An event, made once for all who are sent it. */
export interface ValueEvent {
  readonly bytes: Uint8Array
  /** The log position behind it. */
  readonly position: number
}

interface Change extends ValueEvent {
  /** It can be applied to the value of this position, and to those before it as far back as the last change. */
  readonly after: number
}

/** A reader, as the feed sees it. */
interface Reader {
  /** There may be something new. */
  resume(): void
  stop(error: unknown): void
}

export interface ValueFeedContext {
  readonly documents: Documents
  readonly contents: Contents
  /** Called each time that nobody reads any more. */
  readonly onIdle: () => void
  /** Called when it has ended by itself. */
  readonly onEnd: () => void
}

/**
 * One root of a document, as events for all who read that. There is no queue: a reader is a position, and the changes behind it
 * are kept once for all, or are too many, so that it begins anew.
 */
export class ValueFeed {
  readonly #name: string
  readonly #root: WatchedRoot
  readonly #context: ValueFeedContext
  readonly #readers = new Set<Reader>()
  readonly #watching: Watching
  /** From which position on the changes are known. */
  #begun = Number.POSITIVE_INFINITY
  #changes: Change[] = []
  #keptBytes = 0
  /** The value as somebody is being sent it: kept any longer, it would be in memory twice. */
  #made: WeakRef<ValueEvent> | undefined
  #reading: Promise<ValueEvent> | undefined
  #hasEnded = false

  /** @param fromSnapshot whether somebody comes back, who may have seen what is at the end of the log */
  constructor(name: string, root: WatchedRoot, fromSnapshot: boolean, context: ValueFeedContext) {
    this.#name = name
    this.#root = root
    this.#context = context
    const watcher = {
      onNews: (news: Omit<WatchNews, 'id'>, incarnation: number) => this.#take(news, incarnation),
      onEnd: (error: unknown) => this.#stop(error),
    }
    this.#watching = context.contents.watch(name, root, watcher, fromSnapshot)
  }

  add(reader: Reader): void {
    this.#readers.add(reader)
  }

  delete(reader: Reader): void {
    if (this.#readers.delete(reader) && this.#readers.size === 0) this.#context.onIdle()
  }

  end(): void {
    this.#hasEnded = true
    this.#watching.end()
  }

  /**
   * Where a reader begins: behind the event that it names where what follows is known, and else at a value that it has
   * to be sent, for which this resolves with undefined. Rejects as reading a document does.
   */
  async begin(lastEventId: string): Promise<number | undefined> {
    const position = await this.#positionOf(lastEventId)
    if (position === undefined || this.since(position) || !this.#watching.tellSince(position)) {
      await this.value()
    } else {
      await this.#read()
    }
    return position !== undefined && this.since(position) ? position : undefined
  }

  /** The events behind a position; undefined where they are not known. */
  since(position: number): readonly ValueEvent[] | undefined {
    if (position < this.#begun) return undefined
    let first = this.#changes.length
    while (first > 0 && (this.#changes[first - 1]?.position ?? 0) > position) first--
    const next = this.#changes[first]
    // The position is one that somebody else has told, within what is one change here.
    if (next && next.after < position) return undefined
    return this.#changes.slice(first)
  }

  /** All of the value, of now or with few changes since. Rejects with SERVER_CLOSED at the end, and as reading it does. */
  async value(): Promise<ValueEvent> {
    if (this.#hasEnded) throw new CoeditError('SERVER_CLOSED', `'${this.#name}' is not followed any more`)
    const made = this.#made?.deref()
    const since = made && this.since(made.position)
    if (made && since && since.reduce((sum, { bytes }) => sum + bytes.length, 0) <= made.bytes.length) return made
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined
    })
    return this.#reading
  }

  async #read(): Promise<ValueEvent> {
    const { body, ...at } = await this.#readValue()
    const data = this.#root.as === 'text' ? JSON.stringify(body) : body
    const made = eventOf(['event: reset', `data: ${data}`], at)
    this.#made = new WeakRef(made)
    return made
  }

  /** A document that was never written has a value, too. */
  async #readValue(): Promise<Place & { readonly body: string }> {
    try {
      return await this.#context.contents.read(this.#name, this.#root)
    } catch (error) {
      if (!hasCode(error, 'DOCUMENT_MISSING')) throw error
      return { incarnation: 0, position: 0, body: this.#root.as === 'text' ? '' : 'null' }
    }
  }

  async #positionOf(lastEventId: string): Promise<number | undefined> {
    const place = placeOf(lastEventId)
    if (!place) return undefined
    const cursor = await this.#context.documents.join(this.#name)
    const { document } = cursor
    const isKnown = document.stands(place.incarnation, place.position) && place.position <= document.head
    cursor.release()
    return isKnown ? place.position : undefined
  }

  #take({ begun, steps, isUnfit }: Omit<WatchNews, 'id'>, incarnation: number): void {
    if (isUnfit) {
      this.#stop(new CoeditError('EDIT_CONFLICT', `the root '${this.#root.root}' is no text`))
      return
    }
    if (begun !== undefined) {
      this.#begun = begun
      this.#changes = []
      this.#keptBytes = 0
    }
    for (const { after, position, changes } of steps) {
      const event = { ...eventOf([`data: ${changes}`], { incarnation, position }), after }
      this.#changes.push(event)
      this.#keptBytes += event.bytes.length
    }
    while (this.#keptBytes > MAX_KEPT_BYTES) this.#drop()
    for (const reader of this.#readers) reader.resume()
  }

  #drop(): void {
    const dropped = this.#changes.shift()
    if (!dropped) return
    this.#keptBytes -= dropped.bytes.length
    this.#begun = dropped.position
  }

  #stop(error: unknown): void {
    this.#hasEnded = true
    this.#context.onEnd()
    for (const reader of [...this.#readers]) reader.stop(error)
  }
}

function eventOf(lines: readonly string[], at: Place): ValueEvent {
  return { bytes: Buffer.from([...lines, `id: ${cursorId(at)}`, '\n'].join('\n')), position: at.position }
}
