import { parsePart, partsOf, requestEvents } from './event-stream.ts'
import { readServerMessage, type ServerMessage } from './messages.ts'
import type { Release } from './temporary.ts'

export interface CallerOptions {
  readonly release: Release
  /** Of a server, with a slash at the end. */
  readonly url: string
  readonly document: string
  /** Its secret. */
  readonly key: string
  readonly headers?: Readonly<Record<string, string>>
}

export interface CallAnswer {
  readonly status: number
  /** The code of an error. */
  readonly code: string | undefined
  readonly messages: readonly CallMessage[]
  /** Where the log stands, of an answer to a Step1. */
  readonly place: string | undefined
}

export type CallMessage = ServerMessage

/** The messages of one request, as the body of it. */
export function bodyOf(messages: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const parts = messages.flatMap((message) => {
    const length = Buffer.alloc(4)
    length.writeUInt32LE(message.length)
    return [length, message]
  })
  return new Uint8Array(Buffer.concat(parts))
}

/** A client without a WebSocket, made of nothing but its requests. */
export function caller({ release, url, document, key, headers = {} }: CallerOptions) {
  const segment = encodeURIComponent(document)
  const own = { ...headers, 'coedit-client': key }
  const post = async (body: Uint8Array<ArrayBuffer>, query = ''): Promise<CallAnswer> => {
    const answer = await fetch(`${url}api/documents/${segment}/messages${query}`, {
      method: 'POST',
      headers: { ...own, 'content-type': 'application/octet-stream' },
      body,
    })
    const { status } = answer
    if (status !== 200) {
      const { error }: { error: { code: string } } = JSON.parse(await answer.text())
      return { status, code: error.code, messages: [], place: undefined }
    }
    const parts = (await answer.text()).split('\n\n').map(parsePart)
    const messages = parts.flatMap((part) => {
      if (part.kind !== 'event' || part.data === '') return []
      return [readServerMessage(Buffer.from(part.data, 'base64'))]
    })
    const last = parts.find((part) => part.kind === 'event' && part.id !== undefined)
    return { status, code: undefined, messages, place: last?.kind === 'event' ? last.id : undefined }
  }
  return {
    post,
    call: (messages: readonly Uint8Array[], query = '') => post(bodyOf(messages), query),
    /** What comes behind a place, with the ids of the events. */
    async *stream(lastEventId: string, query = ''): AsyncGenerator<{ id: string | undefined; message: CallMessage }> {
      const request = { release, url, segment, query: `?as=messages${query}`, lastEventId, headers: own }
      for await (const part of partsOf(await requestEvents(request))) {
        if (part.kind === 'event') yield { id: part.id, message: readServerMessage(Buffer.from(part.data, 'base64')) }
      }
    },
  }
}
