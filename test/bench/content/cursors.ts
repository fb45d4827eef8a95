import { createDecoder, type Decoder, readVarUint } from 'lib0/decoding'
import { encode, writeVarString, writeVarUint } from 'lib0/encoding'

/** What the states begin with, before the number of the move. */
const HEAD = '{"move":'
const DIGIT_0 = 0x30
const DIGIT_9 = 0x39

/** The awareness update (y-protocols) of one user at one place, as the editor bindings have it, and which move it is. */
export function cursorUpdate(clientId: number, clock: number, move: number): Uint8Array {
  const position = { type: null, tname: 'text', item: { client: 1, clock: clientId + clock }, assoc: 0 }
  const state = {
    move,
    user: { name: `User ${clientId}`, color: '#30bced', colorLight: '#30bced33' },
    cursor: { anchor: position, head: position },
  }
  return encode((to) => {
    writeVarUint(to, 1)
    writeVarUint(to, clientId)
    writeVarUint(to, clock)
    writeVarString(to, JSON.stringify(state))
  })
}

/** What is said of one user. */
export interface CursorNews {
  readonly clientId: number
  /** Of whoever said it: servers may count by themselves. */
  readonly clock: number
  /** Undefined for one who is gone. */
  readonly move: number | undefined
}

/** Names the states in an awareness update, of which it reads the number of the move alone. */
export function visitCursors(update: Uint8Array, visit: (news: CursorNews) => void): void {
  const from = createDecoder(update)
  for (let entries = readVarUint(from); entries > 0; entries -= 1) {
    const clientId = readVarUint(from)
    const clock = readVarUint(from)
    visit({ clientId, clock, move: readMove(from) })
  }
}

function readMove(from: Decoder): number | undefined {
  const length = readVarUint(from)
  const end = from.pos + length
  const isPresent = from.arr[from.pos] === HEAD.charCodeAt(0)
  let move = 0
  for (let at = from.pos + HEAD.length; isPresent && at < end; at += 1) {
    const byte = from.arr[at] ?? 0
    if (byte < DIGIT_0 || byte > DIGIT_9) break
    move = 10 * move + byte - DIGIT_0
  }
  from.pos = end
  return isPresent ? move : undefined
}
