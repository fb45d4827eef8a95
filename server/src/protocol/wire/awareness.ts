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
