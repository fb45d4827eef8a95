import { isUtf8 } from 'node:buffer'
import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import { CoeditError } from '../../common/errors.ts'

/** One client's presence as it travels: `state` is JSON text in UTF-8, `null` for a client that has left. */
export interface PresenceEntry {
  readonly clientId: number
  readonly clock: number
  readonly state: Uint8Array
}

/** JSON text of a client that has left. */
export const ABSENT: Uint8Array = Buffer.from('null')

/**
 * Reads an awareness update by length alone: no state is parsed, for most of what a stock client sends is about others.
 * @throws CoeditError MESSAGE_MALFORMED where the entries do not fill the bytes exactly.
 */
export function decodePresence(bytes: Uint8Array): PresenceEntry[] {
  try {
    const decoder = decoding.createDecoder(bytes)
    const entries: PresenceEntry[] = []
    for (let left = decoding.readVarUint(decoder); left > 0; left--) {
      const clientId = decoding.readVarUint(decoder)
      const clock = decoding.readVarUint(decoder)
      entries.push({ clientId, clock, state: readWhole(decoder) })
    }
    if (decoding.hasContent(decoder)) throw new RangeError(`${bytes.length - decoder.pos} bytes follow the last entry`)
    return entries
  } catch (cause) {
    throw new CoeditError('MESSAGE_MALFORMED', 'the awareness update is cut short, too long or has no valid lengths', {
      cause,
    })
  }
}

export function encodePresence(entries: readonly PresenceEntry[]): Uint8Array {
  return encoding.encode((encoder) => {
    encoding.writeVarUint(encoder, entries.length)
    for (const { clientId, clock, state } of entries) {
      encoding.writeVarUint(encoder, clientId)
      encoding.writeVarUint(encoder, clock)
      encoding.writeVarUint8Array(encoder, state)
    }
  })
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

function readWhole(decoder: decoding.Decoder): Uint8Array {
  const length = decoding.readVarUint(decoder)
  if (!(length <= decoder.arr.length - decoder.pos)) throw new RangeError(`${length} bytes declared, fewer are there`)
  return decoding.readUint8Array(decoder, length)
}
