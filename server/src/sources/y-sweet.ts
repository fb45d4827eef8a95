import { CoeditError } from '../common/errors.ts'
import type { SourceDocument } from './source.ts'

/*
 * A file data.ysweet: bincode's encoding of a map from bytes to bytes, in the order of its keys. Each length is eight
 * bytes, little-endian. The keys are those of yrs-kvstore 0.3:
 *
 * | key | value |
 * | --- | --- |
 * | `00 00` name `00` | the number of the document, four bytes; there is one document in a file |
 * | `00 01` number `00` | its state, an update (v1) |
 * | `00 01` number `01` | its state vector |
 * | `00 01` number `02` clock `00` | an update (v1) that the state has not yet |
 * | `00 01` number `03` name `00` | a value that an application stored |
 */
const DOCUMENTS = 1
const STATE = 0
const UPDATE = 2
/** Where a key names what it is about: behind `00 01` and the four bytes of the number. */
const KIND_AT = 6
const LENGTH_BYTES = 8

/** What a file holds of the document that its folder names. */
export function readYSweet(name: string, bytes: Uint8Array): SourceDocument {
  try {
    const updates: Uint8Array[] = []
    for (const [key, value] of pairsIn(bytes)) {
      if (key[0] === 0 && key[1] === DOCUMENTS && [STATE, UPDATE].includes(key[KIND_AT])) updates.push(value)
    }
    return { name, updates, problems: [] }
  } catch (error) {
    if (!(error instanceof CoeditError)) throw error
    return { name, updates: [], problems: [error.message] }
  }
}

function* pairsIn(bytes: Uint8Array): Generator<[key: Uint8Array, value: Uint8Array]> {
  const reader = new Reader(bytes)
  for (let left = reader.length(); left > 0; left--) yield [reader.run(), reader.run()]
  if (reader.position !== bytes.length) throw damaged(`${bytes.length - reader.position} bytes follow its end`)
}

class Reader {
  position = 0
  readonly #bytes: Uint8Array
  readonly #view: DataView

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  }

  length(): number {
    if (this.position + LENGTH_BYTES > this.#bytes.length) throw damaged('it ends too early')
    const length = this.#view.getBigUint64(this.position, true)
    this.position += LENGTH_BYTES
    if (length > this.#bytes.length) throw damaged(`it declares a length of ${length}`)
    return Number(length)
  }

  run(): Uint8Array {
    const length = this.length()
    const start = this.position
    this.position += length
    if (this.position > this.#bytes.length) throw damaged('it ends too early')
    return this.#bytes.subarray(start, this.position)
  }
}

function damaged(what: string): CoeditError {
  return new CoeditError('SOURCE_UNREADABLE', `no file of y-sweet: ${what}`)
}
