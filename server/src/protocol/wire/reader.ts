import { isUtf8 } from 'node:buffer'
import { CoeditError, type ErrorCode } from '../../common/errors.ts'

/** Eight groups of seven bits hold every safe integer; a longer encoding is only ever an attack. */
const MAX_VARINT_BYTES = 8

/** Clients that an update or a state vector may name; each costs an object while it is handled. */
export const MAX_CLIENTS = 1_000_000

/** Deleted ranges that an update may have: they take 2 bytes there, but 16 while they are handled. */
export const MAX_DELETED_RANGES = 8 * 1024 * 1024

/**
 * Reads lib0's encoding from untrusted bytes: every read is checked against the end, and what does not fit throws a
 * CoeditError with the code given to the constructor, naming the byte.
 */
export class ByteReader {
  readonly bytes: Uint8Array
  /** Offset of the next byte to read. */
  position: number
  readonly #code: ErrorCode

  constructor(bytes: Uint8Array, position: number, code: ErrorCode) {
    this.bytes = bytes
    this.position = position
    this.#code = code
  }

  get remaining(): number {
    return this.bytes.length - this.position
  }

  byte(): number {
    if (this.position >= this.bytes.length) return this.fail('it ends too early')
    return this.bytes[this.position++]
  }

  /** An unsigned integer of at most 2^53 - 1. */
  varUint(): number {
    const byte = this.byte()
    return byte < 0x80 ? byte : this.#varintTail(byte & 0x7f, 0x80)
  }

  /** The size of a signed integer of at most 2^53 - 1; its sign is of no interest here. */
  varIntSize(): number {
    const byte = this.byte()
    return byte < 0x80 ? byte & 0x3f : this.#varintTail(byte & 0x3f, 0x40)
  }

  /** A number of items that take at least `itemBytes` each, so that no loop runs longer than the bytes that are left. */
  count(itemBytes: number, items: string): number {
    const start = this.position
    const count = this.varUint()
    if (count * itemBytes <= this.remaining) return count
    return this.fail(`it declares ${count} ${items}, more than its remaining bytes can hold`, start)
  }

  /** Moves past a length-prefixed run of bytes and returns where the run starts; it ends at `position`. */
  block(): number {
    const length = this.count(1, 'bytes')
    const start = this.position
    this.position += length
    return start
  }

  /** A length-prefixed run of bytes, as a view. It is never a Buffer, whose `slice` shares memory. */
  varBytes(): Uint8Array {
    const start = this.block()
    return new Uint8Array(this.bytes.buffer, this.bytes.byteOffset + start, this.position - start)
  }

  /** A length-prefixed text in UTF-8. */
  text(): string {
    const start = this.position
    const bytes = this.varBytes()
    if (!isUtf8(bytes)) this.fail('a text is not valid UTF-8', start)
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString()
  }

  expectEnd(): void {
    if (this.remaining > 0) this.fail(`${this.remaining} bytes follow its end`)
  }

  fail(what: string, at = this.position): never {
    throw new CoeditError(this.#code, `${this.subject} at byte ${at}: ${what}`)
  }

  /** What is being read, for error messages. */
  protected get subject(): string {
    return 'malformed bytes'
  }

  #varintTail(first: number, firstUnit: number): number {
    const start = this.position - 1
    let value = first
    let unit = firstUnit
    for (let size = 1; size < MAX_VARINT_BYTES; size++) {
      const byte = this.byte()
      value += (byte & 0x7f) * unit
      unit *= 0x80
      if (byte >= 0x80) continue
      return value <= Number.MAX_SAFE_INTEGER ? value : this.fail('an integer exceeds 2^53 - 1', start)
    }
    return this.fail(`an integer does not end within ${MAX_VARINT_BYTES} bytes`, start)
  }
}

/** Reads a message from a peer, and names the part of it that is at fault. */
export class MessageReader extends ByteReader {
  #part: string

  constructor(bytes: Uint8Array, part: string) {
    super(bytes, 0, 'MESSAGE_MALFORMED')
    this.#part = part
  }

  /** Names what is read next. */
  named(part: string): this {
    this.#part = part
    return this
  }

  protected override get subject(): string {
    return this.#part
  }
}
