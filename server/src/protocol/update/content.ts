import { ByteReader } from '../wire/reader.ts'
import { jsonNesting, MAX_NESTING, MAX_READ_NESTING } from './json.ts'
import { utf16Length } from './text.ts'

/** What a struct is: the low five bits of its info byte. */
export const KIND = {
  gc: 0,
  deleted: 1,
  json: 2,
  binary: 3,
  string: 4,
  embed: 5,
  format: 6,
  type: 7,
  any: 8,
  doc: 9,
  skip: 10,
} as const

/** Shared types by number: array, map, text, XML element, XML fragment, XML hook, XML text. Two carry a name. */
const LAST_TYPE = 6
const XML_ELEMENT = 3
/** From this one on they are XML. */
export const FIRST_XML_TYPE = XML_ELEMENT
const XML_HOOK = 5

/** The values of lib0's `any` encoding by their first byte. */
const ANY = {
  bytes: 116,
  array: 117,
  object: 118,
  string: 119,
  true: 120,
  false: 121,
  bigint: 122,
  float64: 123,
  float32: 124,
  integer: 125,
  null: 126,
  undefined: 127,
} as const

/** An array or object of which some elements or members are still to be read. */
interface OpenList {
  left: number
  readonly hasKeys: boolean
}

/** JSON contents write an undefined element as this word. */
const UNDEFINED = new TextEncoder().encode('undefined')

/**
 * Moves past the contents of structs. A checking reader refuses what would throw in a Yjs client; an unchecking one is
 * for bytes that were checked before and saves looking into strings.
 */
export class ContentReader extends ByteReader {
  /** Whether something was nested deeper than MAX_NESTING. */
  isTooDeep = false
  readonly #checks: boolean

  constructor(bytes: Uint8Array, checks: boolean) {
    super(bytes, 0, 'UPDATE_MALFORMED')
    this.#checks = checks
  }

  /** Moves past the content of a struct of that kind and returns how many ids it covers. */
  content(kind: number): number {
    switch (kind) {
      case KIND.gc:
      case KIND.deleted:
      case KIND.skip:
        return this.varUint()
      case KIND.json:
      case KIND.any:
        return this.#elements(kind)
      case KIND.string:
        return this.#checkText(this.block())
      default:
        this.#singleContent(kind)
        return 1
    }
  }

  /** Moves past one element of a JSON or Any content. */
  skipElement(kind: number): void {
    if (kind === KIND.any) this.#skipAny()
    else this.#skipJson(true)
  }

  /** Moves past a name or a key. */
  skipText(): void {
    const start = this.block()
    if (this.#checks) this.#checkText(start)
  }

  protected override get subject(): string {
    return 'malformed update'
  }

  #elements(kind: number): number {
    const count = this.count(1, 'elements')
    for (let i = 0; i < count; i++) this.skipElement(kind)
    return count
  }

  /** Contents that are one id long. */
  #singleContent(kind: number): void {
    switch (kind) {
      case KIND.binary:
        this.block()
        break
      case KIND.embed:
        this.#skipJson(false)
        break
      case KIND.format:
        this.skipText()
        this.#skipJson(false)
        break
      case KIND.type:
        this.#skipType()
        break
      case KIND.doc:
        this.skipText()
        this.#skipDocOptions()
        break
      default:
        this.fail(`unknown struct kind ${kind}`)
    }
  }

  #skipType(): void {
    const at = this.position
    const type = this.varUint()
    if (type > LAST_TYPE) this.fail(`unknown shared type ${type}`, at)
    if (type === XML_ELEMENT || type === XML_HOOK) this.skipText()
  }

  /** Yjs reads properties of a subdocument's options, which throws on null. */
  #skipDocOptions(): void {
    const at = this.position
    this.#skipAny()
    if (this.bytes[at] !== ANY.object) this.fail('the options of a subdocument are not an object', at)
  }

  #skipJson(mayBeUndefined: boolean): void {
    const start = this.block()
    if (!this.#checks || (mayBeUndefined && this.#isUndefined(start))) return
    this.#checkText(start)
    const nesting = jsonNesting(this.bytes, start, this.position, MAX_READ_NESTING)
    if (nesting < 0) this.fail(`a string is not JSON, or is nested deeper than ${MAX_READ_NESTING}`, start)
    if (nesting > MAX_NESTING) this.isTooDeep = true
  }

  #isUndefined(start: number): boolean {
    return this.position - start === UNDEFINED.length && UNDEFINED.every((byte, i) => this.bytes[start + i] === byte)
  }

  /** @returns the length in UTF-16 units of the text from `start` to the position */
  #checkText(start: number): number {
    const units = utf16Length(this.bytes, start, this.position)
    return units < 0 ? this.fail('a string is not valid UTF-8', start) : units
  }

  /** The stack of lists is one of our own: how deep they lie in each other is up to whoever sends them. */
  #skipAny(): void {
    const lists: OpenList[] = []
    for (;;) {
      const at = this.position
      const list = this.#skipAnyPart()
      if (list) lists.push(list)
      if (lists.length > MAX_NESTING) this.isTooDeep = true
      if (lists.length > MAX_READ_NESTING) this.fail(`values are nested deeper than ${MAX_READ_NESTING}`, at)
      while (lists.at(-1)?.left === 0) lists.pop()
      const inner = lists.at(-1)
      if (!inner) return
      inner.left--
      if (inner.hasKeys) this.skipText()
    }
  }

  /** Moves past a value, of an array or object past its length. */
  #skipAnyPart(): OpenList | undefined {
    const at = this.position
    const type = this.byte()
    switch (type) {
      case ANY.undefined:
      case ANY.null:
      case ANY.true:
      case ANY.false:
        break
      case ANY.integer:
        this.varIntSize()
        break
      case ANY.float32:
        this.#skip(4)
        break
      case ANY.float64:
      case ANY.bigint:
        this.#skip(8)
        break
      case ANY.string:
        this.skipText()
        break
      case ANY.bytes:
        this.block()
        break
      case ANY.array:
        return { left: this.count(1, 'array elements'), hasKeys: false }
      case ANY.object:
        return { left: this.count(2, 'object members'), hasKeys: true }
      default:
        this.fail(`unknown value type ${type}`, at)
    }
    return undefined
  }

  #skip(bytes: number): void {
    if (bytes > this.remaining) this.fail('it ends too early')
    this.position += bytes
  }
}
