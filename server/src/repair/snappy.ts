import { readVarint, slice } from './record.ts'

/** The densest element is a copy of 64 bytes in three: a larger size is damage, and must not be allocated. */
const MAX_EXPANSION = 22
/** How the lowest two bits of a byte say what follows it. */
const LITERAL = 0
const SHORT_COPY = 1
/** Lengths of a literal from here on stand in the bytes behind it. */
const LONG_LITERAL = 60

/**
 * Undoes the compression that tables may have (the format description of google/snappy): runs of bytes, and copies of
 * what came before. Throws a RangeError where the bytes are not compressed so.
 */
export function unsnap(bytes: Uint8Array): Uint8Array {
  const size = readVarint(bytes, 0)
  if (size.value > MAX_EXPANSION * bytes.length) throw new RangeError(`${size.value} bytes of ${bytes.length}`)
  const output = Buffer.alloc(size.value)
  let written = 0
  for (let at = size.next; at < bytes.length; ) {
    const element = readElement(bytes, at)
    if (element.literal) output.set(element.literal, written)
    else copyWithin(output, written, element)
    written += element.length
    at = element.next
  }
  if (written !== size.value) throw new RangeError(`${written} bytes, ${size.value} were declared`)
  return output
}

interface Element {
  readonly length: number
  readonly literal: Uint8Array | undefined
  /** How far before its place a copy begins. */
  readonly offset: number
  readonly next: number
}

function readElement(bytes: Uint8Array, at: number): Element {
  const tag = bytes[at]
  const kind = tag & 3
  const high = tag >> 2
  if (kind === LITERAL) {
    const sizeBytes = Math.max(0, high - LONG_LITERAL + 1)
    const length = 1 + (sizeBytes > 0 ? readNumber(bytes, at + 1, sizeBytes) : high)
    const from = at + 1 + sizeBytes
    return { length, literal: slice(bytes, from, length), offset: 0, next: from + length }
  }
  if (kind === SHORT_COPY) {
    const offset = ((tag >> 5) << 8) + readNumber(bytes, at + 1, 1)
    return { length: 4 + (high & 7), literal: undefined, offset, next: at + 2 }
  }
  const offsetBytes = kind === 2 ? 2 : 4
  const offset = readNumber(bytes, at + 1, offsetBytes)
  return { length: 1 + high, literal: undefined, offset, next: at + 1 + offsetBytes }
}

/** Byte by byte: a copy may overlap what it makes. */
function copyWithin(output: Buffer, to: number, { offset, length }: Element): void {
  if (offset === 0 || offset > to || to + length > output.length) throw new RangeError(`no copy from ${offset} before`)
  for (let i = to; i < to + length; i++) output[i] = output[i - offset]
}

function readNumber(bytes: Uint8Array, at: number, size: number): number {
  const part = slice(bytes, at, size)
  return Buffer.from(part.buffer, part.byteOffset, size).readUIntLE(0, size)
}
