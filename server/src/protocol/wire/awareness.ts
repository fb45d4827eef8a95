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
const MAX_VAR_UINT_BYTES = 8
const MAX_ENTRY_HEAD_BYTES = 3 * MAX_VAR_UINT_BYTES

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
  const writer = new ByteWriter(encodedBytes(entries))
  writer.varUint(entries.length)
  for (const entry of entries) writeEntry(writer, entry)
  return writer.finish()
}

/** Entries without their number before them, to be sent in parts. */
export class PresenceParts {
  readonly #entries: readonly PresenceEntry[]
  readonly #bytes: Uint8Array
  /** Where each entry ends. */
  readonly #ends: readonly number[]

  constructor(entries: readonly PresenceEntry[]) {
    const writer = new ByteWriter(encodedBytes(entries))
    this.#entries = entries
    this.#ends = entries.map((entry) => {
      writeEntry(writer, entry)
      return writer.length
    })
    this.#bytes = writer.finish()
  }

  /** All but those of some ids: how many there are, and their bytes in as few parts as possible. */
  without(clientIds: ReadonlySet<number>): { readonly count: number; readonly parts: readonly Uint8Array[] } {
    const parts: Uint8Array[] = []
    let count = 0
    let start = 0
    let end = 0
    for (const [index, { clientId }] of this.#entries.entries()) {
      const next = this.#ends[index] ?? end
      if (clientIds.has(clientId)) {
        if (end > start) parts.push(this.#bytes.subarray(start, end))
        start = next
      } else count++
      end = next
    }
    if (end > start) parts.push(this.#bytes.subarray(start, end))
    return { count, parts }
  }
}

function writeEntry(writer: ByteWriter, { clientId, clock, state }: PresenceEntry): void {
  writer.varUint(clientId)
  writer.varUint(clock)
  writer.varBytes(state)
}

/** At most so many bytes are written. */
function encodedBytes(entries: readonly PresenceEntry[]): number {
  return entries.reduce((sum, { state }) => sum + MAX_ENTRY_HEAD_BYTES + state.length, MAX_VAR_UINT_BYTES)
}

export function isAbsent(state: Uint8Array): boolean {
  return state.length === ABSENT.length && ABSENT.every((byte, index) => state[index] === byte)
}
