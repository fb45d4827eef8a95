import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import type { Release } from './temporary.ts'

/** An event of a stream as the HTML standard defines them, or a comment. */
export type StreamPart =
  | { readonly kind: 'event'; readonly id: string | undefined; readonly data: string }
  | { readonly kind: 'comment' }

export interface EventsRequest {
  readonly release: Release
  /** Of the server. */
  readonly url: string
  /** As it stands in the URL. */
  readonly segment: string
  readonly lastEventId?: string | undefined
}

/** Asks for the event stream of a document; resolves with the head of the answer. Nothing of the URL is normalised. */
export async function requestEvents({ release, url, segment, lastEventId }: EventsRequest): Promise<IncomingMessage> {
  const { hostname, port } = new URL(url)
  const headers = lastEventId === undefined ? {} : { 'last-event-id': lastEventId }
  const request = get({ hostname, port, path: `/api/documents/${segment}/events`, headers, agent: false })
  release(async () => {
    request.destroy()
  })
  const [response]: IncomingMessage[] = await once(request, 'response')
  return response.setEncoding('utf8')
}

/** The parts of a stream, until it ends or is cut by either side. */
export async function* partsOf(response: IncomingMessage): AsyncGenerator<StreamPart, void> {
  let buffered = ''
  try {
    for await (const text of response) {
      buffered += text
      const blocks = buffered.split('\n\n')
      buffered = blocks.pop() ?? ''
      for (const block of blocks) yield parse(block)
    }
  } catch (error) {
    if (!isCut(error)) throw error
  }
}

function isCut(error: unknown): boolean {
  if (!(error instanceof Error) || !('code' in error)) return false
  return error.code === 'ECONNRESET' || error.code === 'ERR_STREAM_PREMATURE_CLOSE'
}

function parse(block: string): StreamPart {
  const lines = block.split('\n')
  if (lines.every((line) => line.startsWith(':'))) return { kind: 'comment' }
  const field = (name: string) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2)
  return { kind: 'event', id: field('id'), data: field('data') ?? '' }
}
