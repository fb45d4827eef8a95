import { isUtf8 } from 'node:buffer'
import { MessageReader } from './reader.ts'
import { ByteWriter } from './writer.ts'

/** One client's presence as it travels: `state` is JSON text in UTF-8, `null` for a client that has left. */
export interface PresenceEntry {
  readonly clientId: number
  readonly clock: number
  readonly state: Uint8Array
}

/** JSON text of a client that has left. */
export const ABSENT: Uint8Array = Buffer.from('null')

/** An id, a clock and the length of the state. */
const MIN_ENTRY_BYTES = 3

/**
 * Reads an awareness update by length alone: no state is parsed, for most of what a stock client sends is about others.
 * @throws CoeditError MESSAGE_MALFORMED where the entries do not fill the bytes exactly.
 */
export function decodePresence(bytes: Uint8Array): PresenceEntry[] {
  const reader = new MessageReader(bytes, 'the awareness update')
  const entries: PresenceEntry[] = []
  for (let left = reader.count(MIN_ENTRY_BYTES, 'entries'); left > 0; left--) {
    entries.push({ clientId: reader.varUint(), clock: reader.varUint(), state: reader.varBytes() })
  }
  reader.expectEnd()
  return entries
}

export function encodePresence(entries: readonly PresenceEntry[]): Uint8Array {
  const writer = new ByteWriter()
  writer.varUint(entries.length)
  for (const { clientId, clock, state } of entries) {
    writer.varUint(clientId)
    writer.varUint(clock)
    writer.varBytes(state)
  }
  return writer.finish()
}

export function isAbsent(state: Uint8Array): boolean {
  return state.length === ABSENT.length && ABSENT.every((byte, index) => state[index] === byte)
}

/**
 * Whether every client can read the state: UTF-8, JSON, at most `maxBytes` long and nested at most `maxDepth` deep.
 * `applyAwarenessUpdate` of y-protocols throws on anything else, in the middle of the other entries.
 */
export function isReadableState(state: Uint8Array, maxBytes: number, maxDepth: number): boolean {
  if (state.length > maxBytes || !isUtf8(state) || nestingOf(state) > maxDepth) return false
  try {
    JSON.parse(Buffer.from(state.buffer, state.byteOffset, state.length).toString())
    return true
  } catch {
    return false
  }
}

const QUOTE = 0x22
const BACKSLASH = 0x5c

function nestingOf(json: Uint8Array): number {
  let depth = 0
  let deepest = 0
  let inString = false
  for (let i = 0; i < json.length; i++) {
    const byte = json[i]
    if (inString) {
      if (byte === BACKSLASH) i++
      else if (byte === QUOTE) inString = false
    } else if (byte === QUOTE) inString = true
    else if (byte === 0x5b || byte === 0x7b) deepest = Math.max(deepest, ++depth)
    else if (byte === 0x5d || byte === 0x7d) depth--
  }
  return deepest
}
