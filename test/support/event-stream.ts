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

/** Reads the event stream of a document until the test ends. */
export async function* readEvents(options: EventStreamOptions): AsyncGenerator<ServerEvent, void> {
  const response = await request(options)
  let text = ''
  for await (const chunk of response.setEncoding('utf8')) {
    text += chunk
    const events = text.split('\n\n')
    text = events.pop() ?? ''
    for (const event of events) if (!event.startsWith(':')) yield readEvent(event)
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

function request({ release, url, document, lastEventId }: EventStreamOptions): Promise<IncomingMessage> {
  const address = `${url}api/documents/${encodeURIComponent(document)}/events`
  const headers = lastEventId === undefined ? {} : { 'last-event-id': lastEventId }
  return new Promise((resolve, reject) => {
    const request = get(address, { headers }, resolve).on('error', reject)
    release(async () => {
      request.destroy()
    })
  })
}

function readEvent(event: string): ServerEvent {
  const fields = new Map(event.split('\n').map((line) => splitField(line)))
  return { id: fields.get('id'), update: Buffer.from(fields.get('data') ?? '', 'base64') }
}

function splitField(line: string): [string, string] {
  const [name, value] = line.split(/: ?(.*)/s, 2)
  return [name, value]
}
