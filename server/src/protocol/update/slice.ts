import { ByteWriter } from '../wire/writer.ts'
import { KIND } from './content.ts'
import { HAS, StructReader } from './structs.ts'
import { characterSize, utf16Length } from './text.ts'

/** U+FFFD, which Yjs puts where a surrogate pair is cut in two. */
const REPLACEMENT_CHARACTER = Uint8Array.of(0xef, 0xbf, 0xbd)
/** Bytes that the info byte, two ids and a content length take at most. */
const HEADER_BYTES = 48

/** Some consecutive ids of a struct as a struct of its own. */
export interface StructPart {
  readonly bytes: Uint8Array
  /** Ids covered. */
  readonly length: number
}

/**
 * The struct without its first `offset` ids (0 < offset < length), as `Item.write(encoder, offset)` of Yjs has it: the
 * id before becomes its origin, which stands for its parent too.
 */
export function dropIds(struct: StructReader, offset: number): Uint8Array {
  const writer = new ByteWriter(struct.position - struct.start + HEADER_BYTES)
  writeHeader(writer, struct, offset)
  switch (struct.kind) {
    case KIND.string:
      writeTextFrom(writer, struct, offset)
      break
    case KIND.json:
    case KIND.any:
      writeElementsFrom(writer, struct, offset)
      break
    default:
      // A run of collected, deleted or skipped ids; every other content is one id long.
      writer.varUint(struct.length - offset)
  }
  return writer.finish()
}

/**
 * Cuts a struct into parts of at most `maxBytes`, in order, never inside a surrogate pair. A single element that is
 * larger makes a larger part, and so does a content that cannot be cut.
 */
export function* cutStruct(struct: StructReader, maxBytes: number): Generator<StructPart> {
  const maxContentBytes = Math.max(1, maxBytes - HEADER_BYTES - (struct.contentStart - struct.start))
  switch (struct.kind) {
    case KIND.string:
      yield* cutText(struct, maxContentBytes)
      break
    case KIND.json:
    case KIND.any:
      yield* cutElements(struct, maxContentBytes)
      break
    default:
      yield { bytes: struct.bytes.subarray(struct.start, struct.position), length: struct.length }
  }
}

/** What precedes the content of the part that starts at `offset`. */
function writeHeader(writer: ByteWriter, struct: StructReader, offset: number): void {
  if (offset === 0 || struct.kind === KIND.gc || struct.kind === KIND.skip) {
    writer.copy(struct.bytes, struct.start, struct.contentStart)
    return
  }
  writer.byte(struct.info | HAS.origin)
  writer.varUint(struct.client)
  writer.varUint(struct.clock + offset - 1)
  if (!(struct.info & HAS.rightOrigin)) return
  writer.varUint(struct.rightOriginClient)
  writer.varUint(struct.rightOriginClock)
}

function writeTextFrom(writer: ByteWriter, struct: StructReader, offset: number): void {
  let at = firstElement(struct).position
  let units = 0
  while (units < offset) {
    const size = characterSize(struct.bytes[at])
    at += size
    units += size === 4 ? 2 : 1
  }
  const cutsPair = units > offset
  writer.varUint(struct.position - at + (cutsPair ? REPLACEMENT_CHARACTER.length : 0))
  if (cutsPair) writer.copy(REPLACEMENT_CHARACTER)
  writer.copy(struct.bytes, at, struct.position)
}

function writeElementsFrom(writer: ByteWriter, struct: StructReader, offset: number): void {
  const elements = firstElement(struct)
  for (let i = 0; i < offset; i++) elements.skipElement(struct.kind)
  writer.varUint(struct.length - offset)
  writer.copy(struct.bytes, elements.position, struct.position)
}

function* cutText(struct: StructReader, maxContentBytes: number): Generator<StructPart> {
  let offset = 0
  for (let from = firstElement(struct).position; from < struct.position; ) {
    const to = characterBoundary(struct, from, from + maxContentBytes)
    const length = utf16Length(struct.bytes, from, to)
    yield part(struct, offset, length, to - from, from, to)
    offset += length
    from = to
  }
}

/** The last boundary of a character up to `limit`, but after `from`. */
function characterBoundary(struct: StructReader, from: number, limit: number): number {
  if (limit >= struct.position) return struct.position
  let at = limit
  while ((struct.bytes[at] & 0xc0) === 0x80) at--
  return at > from ? at : from + characterSize(struct.bytes[from])
}

function* cutElements(struct: StructReader, maxContentBytes: number): Generator<StructPart> {
  const elements = firstElement(struct)
  let offset = 0
  while (offset < struct.length) {
    const from = elements.position
    let to = from
    let length = 0
    while (offset + length < struct.length) {
      elements.skipElement(struct.kind)
      if (length > 0 && elements.position - from > maxContentBytes) break
      to = elements.position
      length++
    }
    elements.position = to
    yield part(struct, offset, length, length, from, to)
    offset += length
  }
}

/** @param size what the content's length prefix says: bytes of a text, else elements */
function part(
  struct: StructReader,
  offset: number,
  length: number,
  size: number,
  from: number,
  to: number,
): StructPart {
  const writer = new ByteWriter(to - from + HEADER_BYTES)
  writeHeader(writer, struct, offset)
  writer.varUint(size)
  writer.copy(struct.bytes, from, to)
  return { bytes: writer.finish(), length }
}

/** A reader behind the length prefix of the struct's content. */
function firstElement(struct: StructReader): StructReader {
  const reader = new StructReader(struct.bytes, false)
  reader.position = struct.contentStart
  reader.varUint()
  return reader
}
