const ITEM_KIND = 0b11111
const HAS_ORIGIN = 0x80
const HAS_RIGHT_ORIGIN = 0x40
const HAS_PARENT_SUB = 0x20
const GC = 0
const DELETED = 1
const STRING = 4
const SKIP = 10

/** A run of ids that an update brings: clocks `from` (inclusive) to `to` (exclusive) of a client. */
export type VisitIds = (client: number, from: number, to: number) => void

/**
 * Names the ids in an update (v1) without building a document: reading each of some 100,000 frames a second with
 * `Y.decodeUpdate` would make the clients slower than the servers. Knows the kinds of content that text has.
 */
export function visitIds(update: Uint8Array, visit: VisitIds): void {
  const from = new Reader(update)
  for (let clients = from.uint(); clients > 0; clients -= 1) {
    let structs = from.uint()
    const client = from.uint()
    let clock = from.uint()
    const first = clock
    for (; structs > 0; structs -= 1) {
      const info = from.byte()
      if ((info & ITEM_KIND) === SKIP) throw new Error('The update has a hole.')
      clock += readStruct(from, info)
    }
    visit(client, first, clock)
  }
}

/** The length of the struct whose first byte is `info`. */
function readStruct(from: Reader, info: number): number {
  if ((info & ITEM_KIND) === GC) return from.uint()
  if (info & HAS_ORIGIN) from.skipId()
  if (info & HAS_RIGHT_ORIGIN) from.skipId()
  if ((info & (HAS_ORIGIN | HAS_RIGHT_ORIGIN)) === 0) {
    if (from.uint() === 1) from.skipBytes()
    else from.skipId()
    if (info & HAS_PARENT_SUB) from.skipBytes()
  }
  switch (info & ITEM_KIND) {
    case DELETED:
      return from.uint()
    case STRING:
      return from.stringLength()
    default:
      throw new Error(`The loads write no content of kind ${info & ITEM_KIND}.`)
  }
}

class Reader {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  byte(): number {
    const value = this.#bytes[this.#at]
    if (value === undefined) throw new Error('The update ends early.')
    this.#at += 1
    return value
  }

  uint(): number {
    let value = 0
    let factor = 1
    for (;;) {
      const byte = this.byte()
      value += (byte & 0x7f) * factor
      if (byte < 0x80) return value
      factor *= 128
    }
  }

  skipId(): void {
    this.uint()
    this.uint()
  }

  skipBytes(): void {
    const length = this.uint()
    this.#at += length
  }

  /** The length of a UTF-8 string in UTF-16 code units, which is how Yjs counts. */
  stringLength(): number {
    const bytes = this.uint()
    let length = 0
    for (let index = 0; index < bytes; index += 1) {
      const byte = this.byte()
      if (byte < 0x80 || byte >= 0xc0) length += byte >= 0xf0 ? 2 : 1
    }
    return length
  }
}
