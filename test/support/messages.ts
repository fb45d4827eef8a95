import * as decoding from 'lib0/decoding'
import { bytes } from './bytes.ts'

/** The first message of a client that has nothing. */
export const EMPTY_STATE = Uint8Array.of(0)
/** An update in which nothing is. */
export const EMPTY_UPDATE = Uint8Array.of(0, 0)

/** What is refused, by its number. */
const REFUSALS = ['full', 'tooDeep', 'presenceRefused'] as const

/** What a server says, read by the words of PROTOCOL.md and by nothing of the server's own code. */
export type ServerMessage =
  | { readonly type: 'step1'; readonly stateVector: Uint8Array }
  | { readonly type: 'step2'; readonly update: Uint8Array }
  | { readonly type: 'update'; readonly update: Uint8Array }
  | { readonly type: 'presence'; readonly entries: readonly PresenceEntry[] }
  | { readonly type: 'denied'; readonly reason: string }
  | { readonly type: 'acknowledgement'; readonly count: number }
  | { readonly type: (typeof REFUSALS)[number] }
  | { readonly type: 'node'; readonly name: string }

export interface PresenceEntry {
  readonly clientId: number
  readonly clock: number
  /** Null for a client that has left. */
  readonly state: unknown
}

export function step1(stateVector: Uint8Array = EMPTY_STATE): Uint8Array {
  return bytes(0, 0, stateVector.length, stateVector)
}

export function step2(update: Uint8Array = EMPTY_UPDATE): Uint8Array {
  return bytes(0, 1, update.length, update)
}

export function update(update: Uint8Array): Uint8Array {
  return bytes(0, 2, update.length, update)
}

/** A presence message; a state that is text already stands for itself, valid JSON or not. */
export function presence(...entries: readonly PresenceEntry[]): Uint8Array {
  const body = bytes(entries.length, ...entries.map(presenceEntry))
  return bytes(1, body.length, body)
}

function presenceEntry({ clientId, clock, state }: PresenceEntry): Uint8Array {
  if (state instanceof Uint8Array) return bytes(clientId, clock, state.length, state)
  return bytes(clientId, clock, JSON.stringify(state))
}

/** Another token for the open connection. */
export function renewal(token: string): Uint8Array {
  return bytes(101, token)
}

export const QUERY_PRESENCE = Uint8Array.of(3)

/** @throws Error where a client of the protocol would not understand the message */
export function readServerMessage(message: Uint8Array): ServerMessage {
  const decoder = decoding.createDecoder(message)
  const read = readMessage(decoder)
  if (decoding.hasContent(decoder)) throw new Error(`bytes follow a ${read.type} message`)
  return read
}

function readMessage(decoder: decoding.Decoder): ServerMessage {
  const type = decoding.readVarUint(decoder)
  switch (type) {
    case 0:
      return readSync(decoder)
    case 1:
      return { type: 'presence', entries: readPresence(decoding.readVarUint8Array(decoder)) }
    case 2:
      if (decoding.readVarUint(decoder) !== 0) throw new Error('an auth message that is no refusal')
      return { type: 'denied', reason: decoding.readVarString(decoder) }
    case 100:
      return { type: 'acknowledgement', count: decoding.readVarUint(decoder) }
    case 102:
      return readRefusal(decoding.readVarUint(decoder))
    case 103:
      return { type: 'node', name: decoding.readVarString(decoder) }
    default:
      throw new Error(`a message of type ${type}`)
  }
}

function readRefusal(kind: number): ServerMessage {
  const type = REFUSALS[kind]
  if (type === undefined) throw new Error(`a refusal of kind ${kind}`)
  return { type }
}

function readSync(decoder: decoding.Decoder): ServerMessage {
  const kind = decoding.readVarUint(decoder)
  const body = decoding.readVarUint8Array(decoder)
  if (kind === 0) return { type: 'step1', stateVector: body }
  if (kind === 1) return { type: 'step2', update: body }
  if (kind === 2) return { type: 'update', update: body }
  throw new Error(`a sync message of kind ${kind}`)
}

function readPresence(body: Uint8Array): PresenceEntry[] {
  const decoder = decoding.createDecoder(body)
  const entries: PresenceEntry[] = []
  for (let left = decoding.readVarUint(decoder); left > 0; left--) {
    const clientId = decoding.readVarUint(decoder)
    const clock = decoding.readVarUint(decoder)
    const state: unknown = JSON.parse(decoding.readVarString(decoder))
    entries.push({ clientId, clock, state })
  }
  if (decoding.hasContent(decoder)) throw new Error('bytes follow the last presence entry')
  return entries
}
