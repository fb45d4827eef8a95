import { createDecoder, type Decoder, readVarUint } from 'lib0/decoding'
import { encode, writeVarString, writeVarUint } from 'lib0/encoding'

/** The awareness update (y-protocols) of one user at one place, as the editor bindings have it. */
export function cursorUpdate(clientId: number, clock: number): Uint8Array {
  const position = { type: null, tname: 'text', item: { client: 1, clock: clientId + clock }, assoc: 0 }
  const state = {
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

/** Names the states in an awareness update without parsing them. */
export function visitCursors(update: Uint8Array, visit: (clientId: number, clock: number) => void): void {
  const from = createDecoder(update)
  for (let entries = readVarUint(from); entries > 0; entries -= 1) {
    const clientId = readVarUint(from)
    visit(clientId, readVarUint(from))
    skipBytes(from)
  }
}

function skipBytes(from: Decoder): void {
  const length = readVarUint(from)
  from.pos += length
}
