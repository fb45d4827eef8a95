import { type Context, Hono } from 'hono'
import { type SSEStreamingApi, streamSSE } from 'hono/streaming'
import { hasCode } from '../common/errors.ts'
import type { Log } from '../common/log.ts'
import type { Clock } from '../common/timing.ts'
import type { Config } from '../config/config.ts'
import type { Cursor } from '../document/cursor.ts'
import type { Document } from '../document/document.ts'
import type { Documents } from '../document/documents.ts'
import type { Piece } from '../document/piece.ts'
import type { Admission } from './admission.ts'
import { cursorId, placeOf } from './cursor-id.ts'
import { cutLater } from './cut.ts'
import { EventData } from './event-data.ts'
import { guardOrigin } from './origin-guard.ts'
import type { Env, Routes } from './routes.ts'

export interface EventsContext {
  readonly config: Config
  readonly clock: Clock
  readonly log: Log
  readonly documents: Documents
  readonly admission: Admission
}

/**
 * `GET /api/documents/NAME/events`: the updates of a document as server-sent events. `data` is a Yjs update (v1) in
 * base64. `id` is the cursor after it: sent back as `Last-Event-ID`, the stream goes on behind it without gap or repeat.
 * A large document comes as several events, of which only the last has an id.
 */
export function createEventRoutes(context: EventsContext): Routes {
  const { config, log } = context
  const eventData = new EventData()
  const routes = new Hono<Env>()
  routes.use('/api/*', guardOrigin(config))
  routes.get('/api/documents/:name/events', async (c) => {
    const document = c.req.param('name')
    const stream = new EventStream(document, eventData, context)
    await admit(c, document, stream, context)
    const lastEventId = c.req.header('last-event-id')
    return streamSSE(
      c,
      (sse) => stream.run(sse, lastEventId),
      async (err) =>
        log[hasCode(err, 'STORAGE_DAMAGED') ? 'debug' : 'error']({ err, document }, 'an event stream failed'),
    )
  })
  return routes
}

/**
 * Lets a stream follow a document until the answer ends, or its permit does.
 * Rejects as `Admission.knock` and `Admission.admit` do.
 */
async function admit(c: Context<Env>, document: string, stream: EventStream, context: EventsContext): Promise<void> {
  const { incoming, outgoing } = c.env
  // An answer without a socket waits for another one on the same connection, and Node does not tell when the client has
  // gone. An embedding app may have been busy for so long that the answer is closed.
  if (outgoing.socket === null || outgoing.destroyed) return stream.end()
  // Nothing else tells when an answer to HEAD ends, since nobody reads its body.
  outgoing.once('close', () => stream.end())
  await context.admission.admit(context.admission.knock(incoming, outgoing, document), () => {
    stream.end()
    cutLater(outgoing, incoming.socket, context.clock)
  })
}

/** A reader of one document over HTTP. */
class EventStream {
  readonly #name: string
  readonly #eventData: EventData
  readonly #context: EventsContext
  #cursor: Cursor | undefined
  #hasEnded = false
  #isGone = false

  constructor(name: string, eventData: EventData, context: EventsContext) {
    this.#name = name
    this.#eventData = eventData
    this.#context = context
  }

  end(): void {
    this.#hasEnded = true
    this.#cursor?.release()
  }

  /** Sends what is in the document and what comes to it; that it is deleted at the end. */
  async run(sse: SSEStreamingApi, lastEventId: string | undefined): Promise<void> {
    try {
      if (!this.#hasEnded) await this.#follow(sse, lastEventId)
    } catch (error) {
      this.#isGone ||= hasCode(error, 'GONE')
      // What was being read may have been deleted on the way.
      if (!this.#isGone) throw error
    }
    if (this.#isGone) await sse.write(GONE)
  }

  async #follow(sse: SSEStreamingApi, lastEventId: string | undefined): Promise<void> {
    const cursor = await this.#context.documents.join(this.#name, {
      onEnd: (reason) => {
        this.#isGone = reason === 'deleted'
        this.end()
      },
    })
    this.#cursor = cursor
    if (this.#hasEnded) cursor.release()
    cursor.seek(positionOf(lastEventId, cursor.document))
    try {
      while (!cursor.hasEnded) await this.#step(sse, cursor)
    } finally {
      this.end()
    }
  }

  async #step(sse: SSEStreamingApi, cursor: Cursor): Promise<void> {
    if (!cursor.isBehind) {
      const { clock, config } = this.#context
      if (!(await cursor.moved(clock, config.keepAliveMs))) await sse.write(': still here\n\n')
      return
    }
    await cursor.read()
    for (const piece of cursor.rest()) await this.#send(sse, piece, cursor.document)
  }

  /** Sends an event as the HTML standard has it: a line of data, one with the id if it has one, and an empty one. */
  async #send(sse: SSEStreamingApi, piece: Piece, { incarnation }: Document): Promise<void> {
    await sse.write(this.#eventData.of(piece))
    const { position } = piece
    const id = position !== undefined && cursorId({ incarnation, position })
    await sse.write(id === false ? '\n' : `id: ${id}\n\n`)
  }
}

/** The last event of a stream whose document is deleted. */
const GONE = 'event: gone\ndata: {"code":"GONE"}\n\n'

/** Where a stream starts: behind the event it names, or at the beginning where the log knows no such event. */
function positionOf(lastEventId: string | undefined, document: Document): number {
  const place = placeOf(lastEventId ?? '')
  if (!place || !document.stands(place.incarnation, place.position)) return 0
  return place.position <= document.head ? place.position : 0
}
