/** A write as LevelDB stores it: a value, or undefined where the key was removed. */
export interface StoredWrite {
  readonly key: Uint8Array
  readonly value: Uint8Array | undefined
  /** Which of two writes of a key is the later one. */
  readonly sequence: number
}

/** What could be read of a file. */
export interface Salvaged {
  /** From parts with a right checksum. */
  readonly writes: readonly StoredWrite[]
  /** From parts without one: keys, values and their order may be anything. */
  readonly doubtful: readonly StoredWrite[]
  readonly isIntact: boolean
}

/** A varint of LevelDB (little-endian groups of seven bits); throws a RangeError past the end. */
export function readVarint(bytes: Uint8Array, at: number): { value: number; next: number } {
  let value = 0
  let factor = 1
  for (let next = at; next < bytes.length && factor < 2 ** 49; next++, factor *= 128) {
    value += (bytes[next] & 0x7f) * factor
    if (bytes[next] < 0x80) return { value, next: next + 1 }
  }
  throw new RangeError(`no number at ${at}`)
}

/** The bytes of a length that stands before them; throws a RangeError past the end. */
export function readLengthPrefixed(bytes: Uint8Array, at: number): { value: Uint8Array; next: number } {
  const length = readVarint(bytes, at)
  return { value: slice(bytes, length.next, length.value), next: length.next + length.value }
}

/** Throws a RangeError past the end. */
export function slice(bytes: Uint8Array, from: number, length: number): Uint8Array {
  if (from + length > bytes.length) throw new RangeError(`${length} bytes at ${from}, ${bytes.length} are there`)
  return bytes.subarray(from, from + length)
}
