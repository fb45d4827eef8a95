/**
 * How deep arrays and objects may lie in each other, in JSON as in lib0's `any`. Consumers recurse over them: Yjs reads
 * and writes 3,000 on the stack that browsers and Node give it, structuredClone 1,500 (measured).
 */
export const MAX_NESTING = 1000

/** No client of Yjs can write what is nested deeper: it has no stack for that. */
export const MAX_READ_NESTING = 8192

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const COLON = 0x3a
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
const OPEN_ARRAY = 0x5b
const CLOSE_ARRAY = 0x5d

/** Whether JSON.parse accepts the UTF-8 text in `bytes` from `start` to `end` and nothing lies deeper than `maxNesting`. */
export function isJson(bytes: Uint8Array, start: number, end: number, maxNesting = MAX_NESTING): boolean {
  return jsonNesting(bytes, start, end, maxNesting) >= 0
}

/**
 * How deep arrays and objects lie in each other in a JSON text, 0 for any other value; -1 for what JSON.parse does not
 * accept, or is deeper than `maxNesting`. Decoding and parsing it instead takes ten times as long for the small values of
 * an update, and builds what nobody reads.
 */
export function jsonNesting(bytes: Uint8Array, start: number, end: number, maxNesting: number): number {
  return new JsonChecker(bytes, start, end, maxNesting).nesting()
}

/** The grammar of RFC 8259, a method a rule; each says whether its rule matched and moves past what did. */
class JsonChecker {
  readonly #bytes: Uint8Array
  readonly #end: number
  readonly #maxNesting: number
  /** The closing bracket of each array and object that is open. */
  readonly #closers: number[] = []
  #deepest = 0
  #at: number

  constructor(bytes: Uint8Array, start: number, end: number, maxNesting: number) {
    this.#bytes = bytes
    this.#at = start
    this.#end = end
    this.#maxNesting = maxNesting
  }

  nesting(): number {
    while (this.#valueBegins()) {
      const next = this.#valueEnds()
      if (next === 'all') return this.#at === this.#end ? this.#deepest : -1
      if (next === 'nothing') return -1
    }
    return -1
  }

  /** Up to the end of a value that holds no other one. */
  #valueBegins(): boolean {
    for (;;) {
      this.#skipSpace()
      const open = this.#peek()
      if (open !== OPEN_OBJECT && open !== OPEN_ARRAY) return this.#bareValue()
      if (this.#closers.length === this.#maxNesting) return false
      this.#at++
      const close = open === OPEN_OBJECT ? CLOSE_OBJECT : CLOSE_ARRAY
      this.#closers.push(close)
      this.#deepest = Math.max(this.#deepest, this.#closers.length)
      this.#skipSpace()
      if (this.#peek() === close) return true
      if (close === CLOSE_OBJECT && !this.#key()) return false
    }
  }

  /** Past all that ends with a value: whether another one follows, or that was all. */
  #valueEnds(): 'more' | 'all' | 'nothing' {
    for (;;) {
      this.#skipSpace()
      const close = this.#closers.at(-1)
      if (close === undefined) return 'all'
      if (this.#skip(COMMA)) return close === CLOSE_ARRAY || this.#key() ? 'more' : 'nothing'
      if (!this.#skip(close)) return 'nothing'
      this.#closers.pop()
    }
  }

  #bareValue(): boolean {
    switch (this.#peek()) {
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

  #key(): boolean {
    this.#skipSpace()
    if (!this.#string()) return false
    this.#skipSpace()
    return this.#skip(COLON)
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
