import { isUtf8 } from 'node:buffer'
import * as decoding from 'lib0/decoding'
import { CoeditError } from '../../common/errors.ts'

/** Message types of the y-websocket protocol, and our own from 100 on (PROTOCOL.md). */
export const MESSAGE = {
  sync: 0,
  awareness: 1,
  auth: 2,
  queryAwareness: 3,
  acknowledgement: 100,
  token: 101,
  refusal: 102,
} as const
/** Subtypes of a sync message. */
export const SYNC = { step1: 0, step2: 1, update: 2 } as const
/** Why edits are refused, in our own refusal message. */
export const REFUSAL = { full: 0 } as const

/** What a client sent. The bytes are views into the received message. */
export type ClientMessage =
  | { readonly type: 'step1'; readonly stateVector: Uint8Array }
  | { readonly type: 'step2'; readonly update: Uint8Array }
  | { readonly type: 'update'; readonly update: Uint8Array }
  | { readonly type: 'awareness'; readonly entries: Uint8Array }
  | { readonly type: 'queryAwareness' }
  | { readonly type: 'token'; readonly token: string }
  | { readonly type: 'unknown'; readonly number: number }

/**
 * Reads the one message of a frame.
 * @param isOwn whether the peer speaks `coedit.v1`; in other dialects our own types may mean anything
 * @throws CoeditError MESSAGE_MALFORMED where the bytes are not one whole message.
 */
export function decodeMessage(bytes: Uint8Array, isOwn: boolean): ClientMessage {
  const decoder = decoding.createDecoder(bytes)
  const message = readMessage(decoder, isOwn)
  if (message.type !== 'unknown' && decoding.hasContent(decoder)) {
    throw malformed(`${bytes.length - decoder.pos} bytes follow the ${message.type} message, expected none`)
  }
  return message
}

function readMessage(decoder: decoding.Decoder, isOwn: boolean): ClientMessage {
  const type = readNumber(decoder, 'the message type')
  if (isOwn && type === MESSAGE.token) return { type: 'token', token: readText(decoder, 'the token') }
  switch (type) {
    case MESSAGE.sync:
      return readSync(decoder)
    case MESSAGE.awareness:
      return { type: 'awareness', entries: readBytes(decoder, 'the awareness update') }
    case MESSAGE.queryAwareness:
      return { type: 'queryAwareness' }
    default:
      return { type: 'unknown', number: type }
  }
}

function readSync(decoder: decoding.Decoder): ClientMessage {
  const type = readNumber(decoder, 'the sync type')
  switch (type) {
    case SYNC.step1:
      return { type: 'step1', stateVector: readBytes(decoder, 'the state vector') }
    case SYNC.step2:
      return { type: 'step2', update: readBytes(decoder, 'the update') }
    case SYNC.update:
      return { type: 'update', update: readBytes(decoder, 'the update') }
    default:
      throw malformed(`sync type ${type}, expected 0 (Step1), 1 (Step2) or 2 (Update)`)
  }
}

function readNumber(decoder: decoding.Decoder, what: string): number {
  let value: number
  try {
    value = decoding.readVarUint(decoder)
  } catch (cause) {
    throw malformed(`${what} is cut short or no number`, cause)
  }
  if (!Number.isSafeInteger(value)) throw malformed(`${what} is ${value}, expected at most 2^53 - 1`)
  return value
}

function readBytes(decoder: decoding.Decoder, what: string): Uint8Array {
  const length = readNumber(decoder, `the length of ${what}`)
  const left = decoder.arr.length - decoder.pos
  if (length > left) throw malformed(`${what} is declared as ${length} bytes, ${left} are there`)
  return decoding.readUint8Array(decoder, length)
}

function readText(decoder: decoding.Decoder, what: string): string {
  const bytes = readBytes(decoder, what)
  if (!isUtf8(bytes)) throw malformed(`${what} is no UTF-8`)
  return new TextDecoder().decode(bytes)
}

function malformed(message: string, cause?: unknown): CoeditError {
  return new CoeditError('MESSAGE_MALFORMED', message, cause === undefined ? undefined : { cause })
}
