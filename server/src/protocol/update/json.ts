/** How deep arrays and objects may lie in each other, in JSON as in lib0's `any`: consumers recurse over them. */
export const MAX_NESTING = 64

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const COLON = 0x3a

/**
 * Whether JSON.parse accepts the UTF-8 text in `bytes` from `start` to `end` and nothing in it lies deeper than
 * `maxNesting`. Decoding and parsing it instead takes ten times as long for the small values of an update, and builds
 * what nobody reads.
 */
export function isJson(bytes: Uint8Array, start: number, end: number, maxNesting = MAX_NESTING): boolean {
  return new JsonChecker(bytes, start, end, maxNesting).accepts()
}

/** The grammar of RFC 8259, a method a rule; each says whether its rule matched and moves past what did. */
class JsonChecker {
  readonly #bytes: Uint8Array
  readonly #end: number
  readonly #maxNesting: number
  #at: number

  constructor(bytes: Uint8Array, start: number, end: number, maxNesting: number) {
    this.#bytes = bytes
    this.#at = start
    this.#end = end
    this.#maxNesting = maxNesting
  }

  accepts(): boolean {
    return this.#value(0) && this.#at === this.#end
  }

  #value(depth: number): boolean {
    this.#skipSpace()
    const matched = this.#bareValue(depth)
    this.#skipSpace()
    return matched
  }

  #bareValue(depth: number): boolean {
    switch (this.#peek()) {
      case 0x7b: // {
        return depth < this.#maxNesting && this.#list(0x7d, () => this.#member(depth + 1))
      case 0x5b: // [
        return depth < this.#maxNesting && this.#list(0x5d, () => this.#value(depth + 1))
      case QUOTE:
        return this.#string()
      case 0x74:
        return this.#word('true')
      case 0x66:
        return this.#word('false')
      case 0x6e:
        return this.#word('null')
      default:
        return this.#number()
    }
  }

  /** From the opening bracket to the byte `close`. */
  #list(close: number, item: () => boolean): boolean {
    this.#at++
    this.#skipSpace()
    if (this.#skip(close)) return true
    do {
      if (!item()) return false
    } while (this.#skip(COMMA))
    return this.#skip(close)
  }

  #member(depth: number): boolean {
    this.#skipSpace()
    if (!this.#string()) return false
    this.#skipSpace()
    return this.#skip(COLON) && this.#value(depth)
  }

  #string(): boolean {
    if (!this.#skip(QUOTE)) return false
    for (let byte = this.#peek(); byte >= 0x20; byte = this.#peek()) {
      this.#at++
      if (byte === QUOTE) return true
      if (byte === BACKSLASH && !this.#escape()) return false
    }
    return false
  }

  #escape(): boolean {
    switch (this.#next()) {
      case QUOTE:
      case BACKSLASH:
      case 0x2f: // /
      case 0x62: // b
      case 0x66: // f
      case 0x6e: // n
      case 0x72: // r
      case 0x74: // t
        return true
      case 0x75: // u
        return this.#hexDigit() && this.#hexDigit() && this.#hexDigit() && this.#hexDigit()
      default:
        return false
    }
  }

  #hexDigit(): boolean {
    const byte = this.#next()
    return isDigit(byte) || (byte >= 0x41 && byte <= 0x46) || (byte >= 0x61 && byte <= 0x66)
  }

  #number(): boolean {
    this.#skip(0x2d) // -
    if (!this.#skip(0x30) && !this.#digits()) return false
    if (this.#skip(0x2e) && !this.#digits()) return false
    if (!this.#skip(0x65) && !this.#skip(0x45)) return true // e, E
    if (!this.#skip(0x2b)) this.#skip(0x2d)
    return this.#digits()
  }

  /** At least one. */
  #digits(): boolean {
    const start = this.#at
    while (isDigit(this.#peek())) this.#at++
    return this.#at > start
  }

  #word(word: string): boolean {
    for (let i = 0; i < word.length; i++) {
      if (this.#next() !== word.charCodeAt(i)) return false
    }
    return true
  }

  #skipSpace(): void {
    for (
      let byte = this.#peek();
      byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
      byte = this.#peek()
    ) {
      this.#at++
    }
  }

  #skip(byte: number): boolean {
    if (this.#peek() !== byte) return false
    this.#at++
    return true
  }

  #peek(): number {
    return this.#at < this.#end ? this.#bytes[this.#at] : -1
  }

  #next(): number {
    const byte = this.#peek()
    this.#at++
    return byte
  }
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39
}
