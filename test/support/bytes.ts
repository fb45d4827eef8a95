import * as encoding from 'lib0/encoding'

/** Bytes of a handmade message: a number is a varUint, a string a varString, bytes stand for themselves. */
export function bytes(...parts: readonly (number | string | Uint8Array)[]): Uint8Array {
  const encoder = encoding.createEncoder()
  for (const part of parts) {
    if (typeof part === 'number') encoding.writeVarUint(encoder, part)
    else if (typeof part === 'string') encoding.writeVarString(encoder, part)
    else encoding.writeUint8Array(encoder, part)
  }
  return encoding.toUint8Array(encoder)
}

/** A single byte, where a number of 128 and more must not become a varUint of two. */
export function byte(value: number): Uint8Array {
  return Uint8Array.of(value)
}
