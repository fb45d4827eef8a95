import { goneError } from '../../common/errors.ts'
import type { Cursor, CursorOptions } from '../../document/cursor.ts'
import { cursorId, placeOf } from '../../document/cursor-id.ts'
import type { Document } from '../../document/document.ts'
import type { Documents } from '../../document/documents.ts'
import type { Piece } from '../../document/piece.ts'
import type { Flush, PresenceStep } from '../../document/subscriber.ts'
import type { EventData } from '../event-data.ts'
import type { EventOutput } from './event-output.ts'
import type { Source } from './source.ts'

export interface UpdatesContext {
  readonly name: string
  readonly documents: Documents
  readonly eventData: EventData
  readonly lastEventId: string
}

/** The updates of a document, each with the position behind it. A large document comes in pieces, all before the position. */
export class Updates implements Source {
  readonly #name: string
  readonly #documents: Documents
  readonly #eventData: EventData
  readonly #lastEventId: string
  #output: EventOutput | undefined
  #onEnd: (error?: unknown) => void = () => undefined
  #cursor: Cursor | undefined
  #isReading = false
  #hasEnded = false

  constructor({ name, documents, eventData, lastEventId }: UpdatesContext) {
    this.#name = name
    this.#documents = documents
    this.#eventData = eventData
    this.#lastEventId = lastEventId
  }

  async prepare(): Promise<void> {}

  begin(output: EventOutput, onEnd: (error?: unknown) => void): void {
    this.#output = output
    this.#onEnd = onEnd
    this.#join().catch(onEnd)
  }

  resume(): void {
    this.#readAll()
      .then(() => this.caughtUp())
      .catch(this.#onEnd)
  }

  end(): void {
    this.#hasEnded = true
    this.#cursor?.release()
  }

  protected get cursor(): Cursor | undefined {
    return this.#cursor
  }

  protected get output(): EventOutput | undefined {
    return this.#output
  }

  /** What else the cursor is for. */
  protected get options(): CursorOptions {
    return {}
  }

  /** The document is there; nothing of it was read. */
  protected joined(_document: Document): void {}

  /** It has read as much as the output takes, or a flush has come, which has changed this of the presence. */
  protected caughtUp(_step?: PresenceStep | null): void {}

  async #join(): Promise<void> {
    const cursor = await this.#documents.join(this.#name, {
      ...this.options,
      onFlush: (flush) => this.#flushed(flush),
      onEnd: (reason) => this.#onEnd(reason === 'deleted' ? goneError(this.#name) : undefined),
    })
    this.#cursor = cursor
    if (this.#hasEnded) return cursor.release()
    cursor.seek(positionOf(this.#lastEventId, cursor.document))
    this.joined(cursor.document)
    await this.#readAll()
    this.caughtUp()
  }

  #flushed(flush: Flush): void {
    const [cursor, output] = [this.#cursor, this.#output]
    if (!cursor || !output || this.#isReading) return
    if (!output.isFull && cursor.follow(flush)) for (const piece of flush.pieces) this.#write(cursor, output, piece)
    else if (!output.isFull && cursor.isBehind) this.resume()
    this.caughtUp(flush.presence)
  }

  /** As far as the output takes it. */
  async #readAll(): Promise<void> {
    const [cursor, output] = [this.#cursor, this.#output]
    if (!cursor || !output || this.#isReading) return
    this.#isReading = true
    try {
      while (!output.isFull && !cursor.hasEnded && (cursor.isBusy || cursor.isBehind)) {
        if (!cursor.isBusy) await cursor.read()
        for (let piece = cursor.next(); piece; piece = cursor.next()) {
          this.#write(cursor, output, piece)
          if (output.isFull) break
        }
      }
    } finally {
      this.#isReading = false
    }
  }

  #write({ document: { incarnation } }: Cursor, output: EventOutput, piece: Piece): void {
    const { position } = piece
    const id = position === undefined ? '' : cursorId({ incarnation, position })
    output.write(this.#eventData.of(piece, id), id === '' ? 'part' : 'news')
  }
}

/** Where a stream starts: behind the event it names, or at the beginning where the log knows no such event. */
function positionOf(lastEventId: string, document: Document): number {
  const place = placeOf(lastEventId.replace(/\..*$/, ''))
  if (!place || !document.stands(place.incarnation, place.position)) return 0
  return place.position <= document.head ? place.position : 0
}
