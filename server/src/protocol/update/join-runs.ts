import { ByteWriter } from '../wire/writer.ts'
import { KIND } from './content.ts'
import { contentBytes, type StructRun } from './runs.ts'
import { HAS, KIND_BITS, StructReader } from './structs.ts'

const NOTHING = new Uint8Array(0)

/**
 * One run of the consecutive runs of a client, in which text that was typed in a row is joined: key by key it comes as
 * structs of one character each, with some eleven bytes around it.
 *
 * Joining is exact. To Yjs, a text of several characters is that many items of which each has the one before it as its
 * origin, and all have the same right origin; it cuts the text into these whenever a later edit needs it. So a text
 * with the last id of the text before it as its origin and with the same right origin belongs to it, whatever others
 * inserted or deleted meanwhile. What the joined text builds on, its first struct built on.
 *
 * A text under a map key is no such text: there, each struct replaces the one before it.
 * @throws Error where a run does not begin where the one before it ends: writing on would shift its ids.
 */
export function joinRuns(runs: readonly [StructRun, ...StructRun[]]): StructRun {
  const { client, clock } = runs[0]
  const joiner = new Joiner(runs)
  let end = clock
  for (const run of runs) {
    if (run.clock !== end)
      throw new Error(`client ${client}: structs from ${run.clock} cannot follow those up to ${end}`)
    end = run.end
    joiner.add(run)
  }
  const { count, bytes } = joiner.finish()
  return { client, clock, end, count, head: null, bytes, from: 0, to: bytes.length }
}

/** Copies structs in ranges as long as possible: only one that is joined to the one before it is taken out of its range. */
class Joiner {
  readonly #output: ByteWriter
  #count = 0
  /** Structs that are not written yet: a range of bytes, or, after its last struct was joined to, that one's text. */
  #bytes: Uint8Array = NOTHING
  #from = 0
  #to = 0
  #text: ByteWriter | null = null
  /** What decides whether the next struct belongs to the last one. */
  #isText = false
  #contentStart = 0
  #rightOriginClient = 0
  #rightOriginClock = 0

  constructor(runs: readonly StructRun[]) {
    let capacity = 0
    for (const run of runs) capacity += contentBytes(run)
    this.#output = new ByteWriter(capacity)
  }

  add({ client, clock, head, bytes, from, to }: StructRun): void {
    const next = head === null ? clock : this.#addStructs(client, clock, head, 0, head.length)
    this.#addStructs(client, next, bytes, from, to)
  }

  finish(): { count: number; bytes: Uint8Array } {
    this.#flush()
    return { count: this.#count, bytes: this.#output.finish() }
  }

  /** @returns the clock after them */
  #addStructs(client: number, clock: number, bytes: Uint8Array, from: number, to: number): number {
    const struct = new StructReader(bytes, false)
    struct.position = from
    let end = clock
    while (struct.position < to) {
      struct.read(client, end)
      end = struct.end
      if (this.#goesOn(struct)) this.#join(struct)
      else this.#append(struct)
    }
    return end
  }

  /** Whether the struct is text that was typed right after the last struct. */
  #goesOn(struct: StructReader): boolean {
    return (
      this.#isText &&
      isText(struct) &&
      struct.originClient === struct.client &&
      struct.originClock === struct.clock - 1 &&
      struct.rightOriginClient === this.#rightOriginClient &&
      (!(struct.info & HAS.rightOrigin) || struct.rightOriginClock === this.#rightOriginClock)
    )
  }

  #append(struct: StructReader): void {
    const extendsRange = this.#text === null && struct.bytes === this.#bytes && struct.start === this.#to
    if (!extendsRange) {
      this.#flush()
      this.#bytes = struct.bytes
      this.#from = struct.start
    }
    this.#to = struct.position
    this.#count++
    this.#isText = isText(struct)
    this.#contentStart = struct.contentStart
    this.#rightOriginClient = struct.rightOriginClient
    this.#rightOriginClock = struct.rightOriginClock
  }

  #join(struct: StructReader): void {
    if (this.#text === null) {
      this.#output.copy(this.#bytes, this.#from, this.#contentStart)
      this.#text = new ByteWriter()
      this.#text.copy(this.#bytes, textStart(this.#bytes, this.#contentStart), this.#to)
    }
    this.#text.copy(struct.bytes, textStart(struct.bytes, struct.contentStart), struct.position)
  }

  #flush(): void {
    if (this.#text === null) {
      this.#output.copy(this.#bytes, this.#from, this.#to)
      return
    }
    const text = this.#text.finish()
    this.#output.varUint(text.length)
    this.#output.copy(text)
    this.#text = null
  }
}

/** Whether the struct is text, and not under a map key. */
function isText(struct: StructReader): boolean {
  return (struct.info & (KIND_BITS | HAS.parentSub)) === KIND.string
}

/** Offset of a text behind its length, which ends with the first byte below 0x80. */
function textStart(bytes: Uint8Array, contentStart: number): number {
  let at = contentStart
  while (bytes[at] >= 0x80) at++
  return at + 1
}
