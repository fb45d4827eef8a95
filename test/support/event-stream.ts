import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import * as Y from 'yjs'
import type { Release } from './temporary.ts'

export interface ServerEvent {
  readonly id: string | undefined
  readonly update: Uint8Array
}

export interface EventStreamOptions {
  readonly release: Release
  readonly url: string
  readonly document: string
  readonly lastEventId?: string
}

/** An event of a stream as the HTML standard defines them, or a comment. */
export type StreamPart =
  | { readonly kind: 'event'; readonly name: string; readonly id: string | undefined; readonly data: string }
  | { readonly kind: 'comment' }

export type EventsRequest = StreamRequest & {
  readonly release: Release
  /** Of the server, with a slash at the end. */
  readonly url: string
  readonly lastEventId?: string | undefined
  readonly headers?: Readonly<Record<string, string>>
}

/** Of a document as it stands in the URL, with a query that begins with its question mark; or of any other path. */
type StreamRequest = { readonly segment: string; readonly query?: string } | { readonly path: string }

/** Asks for an event stream; resolves with the head of the answer. Nothing of the URL is normalised. */
export async function requestEvents(options: EventsRequest): Promise<IncomingMessage> {
  const { release, url, lastEventId } = options
  const { hostname, port, pathname } = new URL(url)
  const headers = { ...options.headers, ...(lastEventId !== undefined && { 'last-event-id': lastEventId }) }
  const request = get({ hostname, port, path: `${pathname}${pathOf(options)}`, headers, agent: false })
  release(async () => {
    request.destroy()
  })
  const [response]: IncomingMessage[] = await once(request, 'response')
  // A line that breaks from here on is told to who reads the answer.
  request.on('error', () => undefined)
  return response.setEncoding('utf8')
}

function pathOf(request: StreamRequest): string {
  return 'path' in request ? request.path : `api/documents/${request.segment}/events${request.query ?? ''}`
}

/** The parts of a stream, until it ends or is cut by either side. */
export async function* partsOf(response: IncomingMessage): AsyncGenerator<StreamPart, void> {
  let buffered = ''
  try {
    for await (const text of response) {
      buffered += text
      // A large event comes in hundreds of pieces.
      if (!text.includes('\n')) continue
      const blocks = buffered.split('\n\n')
      buffered = blocks.pop() ?? ''
      for (const block of blocks) yield parsePart(block)
    }
  } catch (error) {
    if (!isCut(error)) throw error
  }
}

/** Reads the event stream of a document until the test ends. */
export async function* readEvents(options: EventStreamOptions): AsyncGenerator<ServerEvent, void> {
  const response = await requestEvents({ ...options, segment: encodeURIComponent(options.document) })
  for await (const part of partsOf(response)) {
    if (part.kind === 'event') yield { id: part.id, update: Buffer.from(part.data, 'base64') }
  }
}

/**
 * The number of the last entry in the log of a document that has at least one and is no larger than a chunk. Numbers are
 * given without a gap, so two calls tell how many entries were written in between.
 */
export async function lastEntry(options: EventStreamOptions): Promise<number> {
  for await (const { id } of readEvents(options)) {
    if (id !== undefined) return Number(id.split('-')[1])
  }
  throw new Error('the stream ended without an event that has an id')
}

/** The document that an event stream sends to somebody who has nothing. */
export async function documentInEvents(options: EventStreamOptions): Promise<Y.Doc> {
  const doc = new Y.Doc()
  for await (const { id, update } of readEvents(options)) {
    Y.applyUpdate(doc, update)
    if (id !== undefined) return doc
  }
  throw new Error('the stream ended before the document did')
}

function isCut(error: unknown): boolean {
  if (!(error instanceof Error) || !('code' in error)) return false
  return error.code === 'ECONNRESET' || error.code === 'ERR_STREAM_PREMATURE_CLOSE'
}

/** What is between two empty lines. */
export function parsePart(block: string): StreamPart {
  const lines = block.split('\n')
  if (lines.every((line) => line.startsWith(':'))) return { kind: 'comment' }
  const field = (name: string) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2)
  return { kind: 'event', name: field('event') ?? 'message', id: field('id'), data: field('data') ?? '' }
}
