import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AuthRequest, Permit } from '../auth/grant.ts'
import type { Lease, OnEnd } from '../auth/lease.ts'
import { CoeditError } from '../common/errors.ts'
import type { Log } from '../common/log.ts'
import type { Clock } from '../common/timing.ts'
import type { Config } from '../config/config.ts'
import type { Contents } from '../content/contents.ts'
import type { WatchedRoot } from '../content/requests.ts'
import type { Documents } from '../document/documents.ts'
import type { Callers } from '../peers/callers/callers.ts'
import { messageIn } from '../protocol/wire/bodies.ts'
import { updateHead } from '../protocol/wire/frames.ts'
import type { Catalog } from '../storage/catalog.ts'
import type { Admission, Visitor } from './admission.ts'
import type { Connections } from './connections.ts'
import { EventData } from './event-data.ts'
import { DocumentValues } from './streams/document-values.ts'
import { EventOutput } from './streams/event-output.ts'
import { EventStream } from './streams/event-stream.ts'
import { Feeds } from './streams/feeds.ts'
import { ManyValues } from './streams/many-values.ts'
import { Lives, Messages } from './streams/messages.ts'
import { Names } from './streams/names.ts'
import { NamesFeed } from './streams/names-feed.ts'
import { PollOutput } from './streams/poll-output.ts'
import { Presence } from './streams/presence.ts'
import type { Source } from './streams/source.ts'
import { Updates } from './streams/updates.ts'
import { Values } from './streams/values.ts'

export interface EventStreamsContext {
  readonly config: Config
  readonly clock: Clock
  readonly log: Log
  readonly documents: Documents
  readonly contents: Contents
  readonly catalog: Catalog
  readonly admission: Admission
  readonly callers: Callers
  readonly connections: Connections
}

/** What a stream is to bring of a document. */
export type Followed = FollowedEvents | FollowedMessages

interface FollowedEvents {
  readonly as: 'events'
  /** Undefined: its updates. */
  readonly root: WatchedRoot | undefined
  readonly hasPresence: boolean
  /** Empty where there is none. */
  readonly lastEventId: string
}

/** For a client that calls by HTTP. */
interface FollowedMessages {
  readonly as: 'messages'
  /** Whose own presence is left out. */
  readonly clientId: number | undefined
  /** Whether the answer ends as soon as it has brought something. */
  readonly isPoll: boolean
  /** The secret of the client. */
  readonly key: string | undefined
  readonly lastEventId: string
}

/** What a stream is to bring of all documents whose names begin alike. */
export interface FollowedAll extends Pick<FollowedEvents, 'root' | 'lastEventId'> {
  readonly prefix: string
}

/** A request, and the answer to it. */
export interface Exchange {
  readonly incoming: IncomingMessage
  readonly outgoing: ServerResponse
}

interface Stream {
  readonly name: string
  readonly sources: readonly Source[]
  readonly isPoll: boolean
  /** Told who was let in. Returns what is to be called at the end. */
  readonly admitted?: (request: AuthRequest, permit: Permit) => () => void
  readonly headersOf: () => Headers
  readonly admit: (visitor: Visitor, onEnd: OnEnd) => Promise<Lease | undefined>
}

/** Lets visitors follow documents as server-sent events. What several read alike is made once. */
export class EventStreams {
  readonly #context: EventStreamsContext
  readonly #eventData = new EventData()
  readonly #messageData = new EventData((update) => [messageIn(updateHead(update.length)), update])
  readonly #lives = new Lives()
  readonly #feeds: Feeds
  readonly #names: NamesFeed
  readonly #values: DocumentValues

  constructor(context: EventStreamsContext) {
    this.#context = context
    this.#feeds = new Feeds(context)
    this.#names = new NamesFeed(context)
    this.#values = new DocumentValues(context.contents)
  }

  /**
   * Answers with a stream that ends with the permit to read the document. Resolves when it has begun; rejects as
   * `Admission` does, and where what is followed cannot be read.
   */
  follow(exchange: Exchange, name: string, followed: Followed, headersOf: () => Headers): Promise<void> {
    const { admission } = this.#context
    const admit: Stream['admit'] = (...given) => admission.admit(...given)
    const stream = { name, sources: this.#sourcesOf(name, followed), headersOf, admit }
    if (followed.as === 'events') return this.#stream(exchange, { ...stream, isPoll: false })
    const { isPoll, key } = followed
    if (key === undefined) return this.#stream(exchange, { ...stream, isPoll })
    const admitted: Stream['admitted'] = ({ address }, { user }) =>
      this.#context.callers.of({ document: name, key, user, address }).streams()
    return this.#stream(exchange, { ...stream, isPoll, admitted })
  }

  /** The same for what changes of all documents whose names begin so, and for a permit to list them, or to read all as well. */
  followAll(exchange: Exchange, { prefix, root, lastEventId }: FollowedAll, headersOf: () => Headers): Promise<void> {
    const { admission } = this.#context
    const sources = [root ? this.#valuesOf(prefix, root, lastEventId) : new Names(this.#names, prefix, lastEventId)]
    const admit: Stream['admit'] = (visitor, onEnd) => admission.admitListing(visitor, onEnd, root !== undefined)
    return this.#stream(exchange, { name: prefix, sources, isPoll: false, headersOf, admit })
  }

  /** Lets a visitor in until the answer is closed. Rejects as `Admission` does. */
  async admit({ incoming, outgoing }: Exchange, name: string): Promise<void> {
    const { admission } = this.#context
    await admission.admit(admission.knock(incoming, outgoing, name), () => undefined)
  }

  async #stream({ incoming, outgoing }: Exchange, stream: Stream): Promise<void> {
    const { name, sources, isPoll, headersOf, admit, admitted } = stream
    const { admission } = this.#context
    // An answer without a socket waits for another one on the same connection, and Node does not tell when the client has
    // gone. An embedding app may have been busy for so long that the answer is closed.
    if (outgoing.socket === null || outgoing.destroyed) {
      outgoing.writeHead(200, { 'content-type': 'text/event-stream' }).end()
      return
    }
    const output = this.#outputOf(outgoing, isPoll)
    const events = new EventStream(output, sources, (error) => this.#failed(error, name))
    output.once('close', () => events.end())
    const visitor = admission.knock(incoming, output, name)
    const lease = await admit(visitor, () => {
      events.end()
      output.cutLater()
    })
    if (lease && admitted) output.once('close', admitted(visitor.request, lease.permit))
    await events.open(headersOf)
  }

  #outputOf(outgoing: ServerResponse, isPoll: boolean): EventOutput {
    const { clock, config, connections } = this.#context
    return new (isPoll ? PollOutput : EventOutput)(outgoing, { clock, keepAliveMs: config.keepAliveMs, connections })
  }

  #valuesOf(prefix: string, root: WatchedRoot, lastEventId: string): Source {
    const { clock, config, catalog } = this.#context
    const context = { clock, catalog, feed: this.#names, values: this.#values, gatherMs: config.maxGatherMs }
    return new ManyValues(prefix, root, lastEventId, context)
  }

  #sourcesOf(name: string, followed: Followed): readonly Source[] {
    const { lastEventId } = followed
    const { documents } = this.#context
    if (followed.as === 'messages') {
      const { clientId } = followed
      const [eventData, lives] = [this.#messageData, this.#lives]
      return [new Messages({ name, documents, eventData, lastEventId, clientId, lives })]
    }
    const { root, hasPresence } = followed
    const content = root
      ? new Values(() => this.#feeds.values(name, root, lastEventId !== ''), lastEventId)
      : new Updates({ name, documents, eventData: this.#eventData, lastEventId })
    return hasPresence ? [content, new Presence(() => this.#feeds.presence(name))] : [content]
  }

  /** Errors that a client may be told are no failure of the server, and damage is told where it is found. */
  #failed(err: unknown, document: string): void {
    const level = err instanceof CoeditError ? 'debug' : 'error'
    this.#context.log[level]({ err, document }, 'an event stream failed')
  }
}
