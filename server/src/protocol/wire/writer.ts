/** Below this, a loop is faster than the call that copies. */
const FEW_BYTES = 48

/** Writes lib0's encoding into a buffer that grows. */
export class ByteWriter {
  #bytes: Uint8Array
  #length = 0

  /** @param capacity bytes expected; when it is met exactly, nothing is copied at the end. */
  constructor(capacity = 64) {
    this.#bytes = new Uint8Array(capacity)
  }

  /** How many bytes were written. */
  get length(): number {
    return this.#length
  }

  byte(value: number): void {
    this.#reserve(1)
    this.#bytes[this.#length++] = value
  }

  /** @param value an integer from 0 to 2^53 - 1 */
  varUint(value: number): void {
    this.#reserve(varUintBytes(value))
    let rest = value
    while (rest >= 0x80) {
      this.#bytes[this.#length++] = 0x80 | (rest % 0x80)
      rest = Math.floor(rest / 0x80)
    }
    this.#bytes[this.#length++] = rest
  }

  /** Copies the bytes of `source` from `start` to `end`. */
  copy(source: Uint8Array, start = 0, end = source.length): void {
    this.#reserve(end - start)
    if (end - start > FEW_BYTES) this.#bytes.set(source.subarray(start, end), this.#length)
    else for (let i = start; i < end; i++) this.#bytes[this.#length + i - start] = source[i]
    this.#length += end - start
  }

  /** The length of the bytes, and the bytes. */
  varBytes(bytes: Uint8Array): void {
    this.varUint(bytes.length)
    this.copy(bytes)
  }

  /** A text in UTF-8, with its length in bytes before it. */
  text(text: string): void {
    this.varBytes(Buffer.from(text))
  }

  finish(): Uint8Array {
    return this.#length === this.#bytes.length ? this.#bytes : this.#bytes.slice(0, this.#length)
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes
    if (needed <= this.#bytes.length) return
    const grown = new Uint8Array(Math.max(needed, 2 * this.#bytes.length))
    grown.set(this.#bytes)
    this.#bytes = grown
  }
}

/** Bytes that an integer from 0 to 2^53 - 1 takes. */
export function varUintBytes(value: number): number {
  let bytes = 1
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes++
  return bytes
}
