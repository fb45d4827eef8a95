import { MessageReader } from './reader.ts'

/** The subprotocol of clients that want their edits acknowledged: only they are sent messages of our own. */
export const SUBPROTOCOL = 'coedit.v1'
/** Message types of the y-websocket protocol, and our own from 100 on (PROTOCOL.md). */
export const MESSAGE = {
  sync: 0,
  awareness: 1,
  auth: 2,
  queryAwareness: 3,
  acknowledgement: 100,
  token: 101,
  refusal: 102,
  node: 103,
} as const
/** Subtypes of a sync message. */
export const SYNC = { step1: 0, step2: 1, update: 2 } as const
/**
 * What is refused, in our own refusal message: edits, for the document is full; a value, which is nested too deep and is
 * deleted; a state of presence, so that others see an older one.
 */
export const REFUSAL = { full: 0, tooDeep: 1, presence: 2 } as const
export type Refusal = keyof typeof REFUSAL

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
  const reader = new MessageReader(bytes, 'the message type')
  const message = readMessage(reader, isOwn)
  if (message.type !== 'unknown') reader.expectEnd()
  return message
}

function readMessage(reader: MessageReader, isOwn: boolean): ClientMessage {
  const type = reader.varUint()
  if (isOwn && type === MESSAGE.token) return { type: 'token', token: reader.named('the token').text() }
  switch (type) {
    case MESSAGE.sync:
      return readSync(reader)
    case MESSAGE.awareness:
      return { type: 'awareness', entries: reader.named('the awareness update').varBytes() }
    case MESSAGE.queryAwareness:
      return { type: 'queryAwareness' }
    default:
      return { type: 'unknown', number: type }
  }
}

function readSync(reader: MessageReader): ClientMessage {
  const type = reader.named('the sync type').varUint()
  switch (type) {
    case SYNC.step1:
      return { type: 'step1', stateVector: reader.named('the state vector').varBytes() }
    case SYNC.step2:
      return { type: 'step2', update: reader.named('the update').varBytes() }
    case SYNC.update:
      return { type: 'update', update: reader.named('the update').varBytes() }
    default:
      return reader.fail(`it is ${type}, expected 0 (Step1), 1 (Step2) or 2 (Update)`)
  }
}
