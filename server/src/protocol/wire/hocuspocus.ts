import { hasCode } from '../../common/errors.ts'
import { binaryFrame } from './frames.ts'
import { decodeMessage, MESSAGE, SYNC } from './messages.ts'
import { MessageReader } from './reader.ts'
import { ByteWriter, varUintBytes } from './writer.ts'

/** Message types of @hocuspocus/provider that y-websocket does not have, or has in another form (PROTOCOL.md). */
const TYPE = { auth: 2, stateless: 5, close: 7, syncStatus: 8 } as const
/** Kinds of a message about authentication: the first is the token itself when a client sends it. */
const AUTH = { token: 0, denied: 1, authenticated: 2 } as const

const SCOPES = { read: 'readonly', write: 'read-write' } as const

/** What stands between the name of the document and an id in the key of a client that speaks of sessions. */
const SESSION_MARK = '\0'

/** A message for one of the documents of a socket: `message` is what follows the key. */
export interface KeyedMessage {
  readonly key: string
  readonly message: Uint8Array
}

/** What a message is for: the socket's part in the document, or the session there. */
export type KeyedContent =
  | { readonly type: 'token'; readonly token: string; readonly version: string | undefined }
  | { readonly type: 'stateless'; readonly payload: string }
  | { readonly type: 'close' }
  | { readonly type: 'session' }

const FOR_SESSION: KeyedContent = { type: 'session' }

/**
 * Parts the key from a message.
 * @throws CoeditError MESSAGE_MALFORMED
 */
export function readKey(bytes: Uint8Array): KeyedMessage {
  const reader = new MessageReader(bytes, 'the key of the document')
  const key = reader.text()
  if (reader.remaining === 0) reader.named('the message type').byte()
  return { key, message: bytes.subarray(reader.position) }
}

/** @throws CoeditError MESSAGE_MALFORMED where it is one of those that only this protocol has, and not whole */
export function readContent(message: Uint8Array): KeyedContent {
  const reader = new MessageReader(message, 'the message type')
  const content = contentOf(reader)
  if (content.type !== 'session') reader.expectEnd()
  return content
}

function contentOf(reader: MessageReader): KeyedContent {
  switch (reader.varUint()) {
    case TYPE.auth:
      return readToken(reader.named('the token'))
    case TYPE.stateless:
      return { type: 'stateless', payload: reader.named('the payload').text() }
    case TYPE.close:
      return { type: 'close' }
    default:
      return FOR_SESSION
  }
}

function readToken(reader: MessageReader): KeyedContent {
  const kind = reader.varUint()
  if (kind !== AUTH.token) reader.fail(`a message about authentication of kind ${kind}, expected ${AUTH.token}`)
  const token = reader.text()
  return { type: 'token', token, version: reader.remaining > 0 ? reader.text() : undefined }
}

/** The name of the document in a key. */
export function nameInKey(key: string): string {
  return key.split(SESSION_MARK, 1)[0] ?? ''
}

/** Whether it is the first message of a provider: its token or its state vector behind a key, which no other client sends. */
export function isFromProvider(bytes: Uint8Array): boolean {
  try {
    const { key, message } = readKey(bytes)
    if (nameInKey(key) === '') return false
    return readContent(message).type === 'token' || decodeMessage(message, false).type === 'step1'
  } catch (error) {
    if (hasCode(error, 'MESSAGE_MALFORMED')) return false
    throw error
  }
}

/** The frames that a server sends for one key. */
export class KeyedFrames {
  readonly #key: Uint8Array

  constructor(key: string) {
    const bytes = Buffer.from(key)
    const writer = new ByteWriter(varUintBytes(bytes.length) + bytes.length)
    writer.varBytes(bytes)
    this.#key = writer.finish()
  }

  step1(stateVector: Uint8Array): Buffer {
    return this.#withBytes([MESSAGE.sync, SYNC.step1], stateVector)
  }

  update(update: Uint8Array): Buffer {
    return this.#withBytes([MESSAGE.sync, SYNC.update], update)
  }

  /** What comes before an update of so many bytes: both together are a frame. */
  updateHead(byteLength: number): Buffer {
    return binaryFrame([this.#key, numbers(MESSAGE.sync, SYNC.update, byteLength)], byteLength)
  }

  emptyStep2(): Buffer {
    return this.#withBytes([MESSAGE.sync, SYNC.step2], Uint8Array.of(0, 0))
  }

  presence(awarenessUpdate: Uint8Array): Buffer {
    return this.#withBytes([MESSAGE.awareness], awarenessUpdate)
  }

  /** What comes before the entries of a presence message, which have so many bytes: all of it is a frame. */
  presenceHead(count: number, byteLength: number): Buffer {
    return binaryFrame([this.#key, numbers(MESSAGE.awareness, varUintBytes(count) + byteLength, count)], byteLength)
  }

  /** Has clients from 3.0 on send their token. */
  tokenRequest(): Buffer {
    return this.#with(TYPE.auth, AUTH.token)
  }

  denied(reason: string): Buffer {
    return this.#withBytes([TYPE.auth, AUTH.denied], Buffer.from(reason))
  }

  authenticated(access: 'read' | 'write'): Buffer {
    return this.#withBytes([TYPE.auth, AUTH.authenticated], Buffer.from(SCOPES[access]))
  }

  stateless(payload: string): Buffer {
    return this.#withBytes([TYPE.stateless], Buffer.from(payload))
  }

  /** Ends this document on the socket. Only clients from 3.0 on know it. */
  close(reason: string): Buffer {
    return this.#withBytes([TYPE.close], Buffer.from(reason))
  }

  /** Tells whether one Update or Step2 was taken: it is durable, or it never will be. */
  syncStatus(wasTaken: boolean): Buffer {
    return this.#with(TYPE.syncStatus, wasTaken ? 1 : 0)
  }

  #with(...values: readonly number[]): Buffer {
    return binaryFrame([this.#key, numbers(...values)])
  }

  #withBytes(head: readonly number[], body: Uint8Array): Buffer {
    return binaryFrame([this.#key, numbers(...head, body.length), body])
  }
}

/** For no document, which clients ignore, but count as a sign of life. */
export const KEYLESS_KEEP_ALIVE: Buffer = new KeyedFrames('').presence(Uint8Array.of(0))

function numbers(...values: readonly number[]): Uint8Array {
  const writer = new ByteWriter(values.reduce((sum, value) => sum + varUintBytes(value), 0))
  for (const value of values) writer.varUint(value)
  return writer.finish()
}
