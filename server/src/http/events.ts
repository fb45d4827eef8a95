import { type Context, Hono } from 'hono'
import { type SSEStreamingApi, streamSSE } from 'hono/streaming'
import type { Authority } from '../auth/authority.ts'
import type { Clock } from '../common/clock.ts'
import { CoeditError, hasCode } from '../common/errors.ts'
import type { Log } from '../common/log.ts'
import type { Config } from '../config/config.ts'
import type { Document } from '../document/document.ts'
import type { Documents } from '../document/documents.ts'
import type { Chunked, Piece } from '../document/piece.ts'
import type { Subscriber } from '../document/subscriber.ts'
import { checkName } from '../protocol/wire/names.ts'
import { authRequest } from './credentials.ts'
import { cutLater } from './cut.ts'
import { EventData } from './event-data.ts'
import { guardOrigin } from './origin-guard.ts'
import type { Places } from './places.ts'
import type { Env, Routes } from './routes.ts'

export interface EventsContext {
  readonly config: Config
  readonly clock: Clock
  readonly log: Log
  readonly documents: Documents
  readonly authority: Authority
  readonly places: Places
}

/** `URL` resolves empty and dot segments, encoded or not: no route gets to see them. */
const NO_NAME = /\/api\/documents\/(?:\.|%2e){0,2}\/events(?:\?|$)/i

/**
 * `GET /api/documents/NAME/events`: the updates of a document as server-sent events. `data` is a Yjs update (v1) in
 * base64. `id` is the cursor after it: sent back as `Last-Event-ID`, the stream goes on behind it without gap or repeat.
 * A large document comes as several events, of which only the last has an id.
 */
export function createEventRoutes(context: EventsContext): Routes {
  const { config, log } = context
  const eventData = new EventData()
  const routes = new Hono<Env>()
  routes.use('*', async (c, next) => {
    if (NO_NAME.test(c.env.incoming.url ?? ''))
      throw new CoeditError('DOCUMENT_NAME', 'the document name is no segment')
    await next()
  })
  routes.use('/api/*', guardOrigin(config.allowedOrigins))
  routes.get('/api/documents/:name/events', async (c) => {
    const document = c.req.param('name')
    checkName(document, config.maxNameBytes)
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
 * @throws CoeditError UNAUTHORIZED, FORBIDDEN, AUTH_UNAVAILABLE, TOO_MANY_CONNECTIONS
 */
async function admit(c: Context<Env>, document: string, stream: EventStream, context: EventsContext): Promise<void> {
  const { authority, clock, config, places } = context
  const { incoming, outgoing } = c.env
  // It waits for another answer on the same connection, and Node does not tell when nobody is there any more to wait for it.
  if (outgoing.socket === null) return stream.end()
  const address = places.addressOf(incoming.socket.remoteAddress, c.req.header('x-forwarded-for'))
  const leave = places.forAddress(address)
  if (!leave) throw new CoeditError('TOO_MANY_CONNECTIONS', 'the address has as many connections as it may have')
  outgoing.once('close', leave)
  const query = new URL(c.req.url).searchParams
  const request = authRequest({ document, headers: incoming.headers, query, cookie: config.authCookie, address })
  const permit = await authority.authorize(request)
  // Whoever has gone meanwhile gives nothing back any more.
  if (outgoing.destroyed) return stream.end()
  // Also where nobody reads the body, as of an answer to HEAD, whose end nothing else would tell.
  outgoing.once('close', () => stream.end())
  outgoing.once('close', places.inDocument(document, permit.user))
  const lease = authority.hold(permit, request, () => {
    stream.end()
    cutLater(outgoing, incoming.socket, clock)
  })
  outgoing.once('close', () => lease.release())
}

/** A reader of one document over HTTP. */
class EventStream implements Subscriber {
  readonly #name: string
  readonly #eventData: EventData
  readonly #context: EventsContext
  #position: number | undefined
  #sending: Piece[] = []
  #wake: (() => void) | undefined
  #document: Document | undefined
  #hasEnded = false

  constructor(name: string, eventData: EventData, context: EventsContext) {
    this.#name = name
    this.#eventData = eventData
    this.#context = context
  }

  get position(): number | undefined {
    return this.#position
  }

  get snapshot(): Chunked | undefined {
    return this.#sending[0]?.snapshot
  }

  deliver(): void {
    this.#wake?.()
  }

  end(): void {
    this.#hasEnded = true
    this.#document?.unsubscribe(this)
    this.#wake?.()
  }

  async run(sse: SSEStreamingApi, lastEventId: string | undefined): Promise<void> {
    if (this.#hasEnded) return
    const document = await this.#context.documents.join(this.#name, this)
    this.#document = document
    this.#position = positionOf(lastEventId, document)
    try {
      while (!this.#hasEnded) await this.#step(sse, document, this.#position)
    } finally {
      this.end()
    }
  }

  async #step(sse: SSEStreamingApi, document: Document, from: number): Promise<void> {
    if (from === document.head) {
      if (await this.#hearsNothing()) await sse.write(': still here\n\n')
      return
    }
    const { pieces, position } = await this.#context.documents.readSince(document, from)
    this.#sending = pieces
    for (let piece = pieces[0]; piece && !this.#hasEnded; piece = pieces[0]) {
      await this.#send(sse, piece, document)
      pieces.shift()
    }
    this.#position = position
  }

  /** As the HTML standard has it: a line of data, one that names it if it has a name, and an empty one. */
  async #send(sse: SSEStreamingApi, piece: Piece, { incarnations }: Document): Promise<void> {
    await sse.write(this.#eventData.of(piece))
    const { position } = piece
    await sse.write(position === undefined ? '\n' : `id: ${incarnations[0].toString(36)}-${position}\n\n`)
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

/** Where a stream starts: behind the event it names, or at the beginning where the log knows no such event. */
function positionOf(lastEventId: string | undefined, document: Document): number {
  const [incarnation, position] = lastEventId?.split('-') ?? []
  const isKnown = document.incarnations.some((known) => known.toString(36) === incarnation)
  if (!isKnown || !/^\d{1,15}$/.test(position ?? '')) return 0
  return Number(position) <= document.head ? Number(position) : 0
}
