import { goneError } from '../../common/errors.ts'
import type { Cursor } from '../../document/cursor.ts'
import { cursorId, placeOf } from '../../document/cursor-id.ts'
import type { Document } from '../../document/document.ts'
import type { Documents } from '../../document/documents.ts'
import type { Piece } from '../../document/piece.ts'
import type { Flush } from '../../document/subscriber.ts'
import type { EventData } from '../event-data.ts'
import type { EventOutput } from './event-output.ts'
import type { Source } from './source.ts'

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

  constructor(name: string, lastEventId: string, documents: Documents, eventData: EventData) {
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
    this.#readAll().catch(this.#onEnd)
  }

  end(): void {
    this.#hasEnded = true
    this.#cursor?.release()
  }

  async #join(): Promise<void> {
    const cursor = await this.#documents.join(this.#name, {
      onFlush: (flush) => this.#flushed(flush),
      onEnd: (reason) => this.#onEnd(reason === 'deleted' ? goneError(this.#name) : undefined),
    })
    this.#cursor = cursor
    if (this.#hasEnded) cursor.release()
    cursor.seek(positionOf(this.#lastEventId, cursor.document))
    await this.#readAll()
  }

  #flushed(flush: Flush): void {
    const [cursor, output] = [this.#cursor, this.#output]
    if (!cursor || !output || this.#isReading) return
    if (!output.isFull && cursor.follow(flush)) for (const piece of flush.pieces) this.#write(cursor, output, piece)
    else if (!output.isFull && cursor.isBehind) this.resume()
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
    output.write(this.#eventData.of(piece, position === undefined ? '' : cursorId({ incarnation, position })))
  }
}

/** Where a stream starts: behind the event it names, or at the beginning where the log knows no such event. */
function positionOf(lastEventId: string, document: Document): number {
  const place = placeOf(lastEventId)
  if (!place || !document.stands(place.incarnation, place.position)) return 0
  return place.position <= document.head ? place.position : 0
}
