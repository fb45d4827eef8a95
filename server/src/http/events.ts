import { Hono } from 'hono'
import { type SSEStreamingApi, streamSSE } from 'hono/streaming'
import type { Clock } from '../clock.ts'
import type { Config } from '../config.ts'
import { CoeditError } from '../errors.ts'
import type { Log } from '../log.ts'
import { checkName } from '../protocol/names.ts'
import type { Document } from '../sync/document.ts'
import type { Documents } from '../sync/documents.ts'
import type { Piece } from '../sync/piece.ts'
import type { Subscriber } from '../sync/subscriber.ts'
import { failure } from './failure.ts'

export interface EventsContext {
  readonly config: Config
  readonly clock: Clock
  readonly log: Log
  readonly documents: Documents
}

/**
 * `GET /api/documents/NAME/events`: the updates of a document as server-sent events. `data` is a Yjs update (v1) in
 * base64. `id` is the cursor after it: sent back as `Last-Event-ID`, the stream goes on behind it without gap or repeat.
 * A large document comes as several events, of which only the last has an id.
 */
export function createEventRoutes(context: EventsContext): Hono {
  const routes = new Hono()
  routes.get('/api/documents/:name/events', (c) => {
    const name = c.req.param('name')
    try {
      checkName(name, context.config.maxNameBytes)
    } catch (error) {
      if (error instanceof CoeditError) return failure(c, 400, error.code, error.message)
      throw error
    }
    const lastEventId = c.req.header('last-event-id')
    return streamSSE(
      c,
      (sse) => new EventStream(sse, context).run(name, lastEventId),
      async (err) => context.log.error({ err, document: name }, 'an event stream failed'),
    )
  })
  return routes
}

/** A reader of one document over HTTP. */
class EventStream implements Subscriber {
  readonly #sse: SSEStreamingApi
  readonly #context: EventsContext
  #position: number | undefined
  #wake: (() => void) | undefined
  #document: Document | undefined
  #hasEnded = false

  constructor(sse: SSEStreamingApi, context: EventsContext) {
    this.#sse = sse
    this.#context = context
  }

  get position(): number | undefined {
    return this.#position
  }

  deliver(): void {
    this.#wake?.()
  }

  end(): void {
    this.#hasEnded = true
    this.#document?.unsubscribe(this)
    this.#wake?.()
  }

  async run(name: string, lastEventId: string | undefined): Promise<void> {
    this.#sse.onAbort(() => this.end())
    const document = await this.#context.documents.join(name, this)
    this.#document = document
    this.#position = positionOf(lastEventId, document)
    try {
      while (!this.#hasEnded) await this.#step(document, this.#position)
    } finally {
      this.end()
    }
  }

  async #step(document: Document, from: number): Promise<void> {
    if (from === document.head) {
      if (await this.#hearsNothing()) await this.#sse.write(': still here\n\n')
      return
    }
    const { pieces, position } = await this.#context.documents.readSince(document, from)
    for (const piece of pieces) {
      if (!this.#hasEnded) await this.#sse.writeSSE(eventOf(piece, document))
    }
    this.#position = position
  }

  /** Resolves false when something was committed or the stream has ended, true after a while of neither. */
  #hearsNothing(): Promise<boolean> {
    return new Promise((resolve) => {
      const cancel = this.#context.clock.after(this.#context.config.keepAliveMs, () => resolve(true))
      this.#wake = () => {
        cancel()
        resolve(false)
      }
    })
  }
}

function eventOf(piece: Piece, document: Document): { data: string; id?: string } {
  const data = Buffer.from(piece.update).toString('base64')
  return piece.position === undefined
    ? { data }
    : { data, id: `${document.incarnation.toString(36)}-${piece.position}` }
}

/** Where a stream starts: behind the event it names, or at the beginning where the log knows no such event. */
function positionOf(lastEventId: string | undefined, document: Document): number {
  const [incarnation, position] = lastEventId?.split('-') ?? []
  if (incarnation !== document.incarnation.toString(36) || !/^\d{1,15}$/.test(position ?? '')) return 0
  return Number(position) <= document.head ? Number(position) : 0
}
