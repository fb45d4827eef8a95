import { ContentReader, KIND } from './content.ts'

/** Which of its optional parts an item has: the high bits of its info byte. */
export const HAS = { origin: 0x80, rightOrigin: 0x40, parentSub: 0x20 } as const
/** The low bits of an info byte: what the struct is, see KIND. */
export const KIND_BITS = 0x1f

/** Stands for the client of an id that a struct does not have. */
export const NO_CLIENT = -1

/** A client's ids end here, so that no sum loses precision and 32-bit readers agree with us. */
export const MAX_CLOCK = 2 ** 32

/**
 * Reads the structs of a v1 update one after the other into its own fields: an object per struct would cost more than
 * the reading.
 */
export class StructReader extends ContentReader {
  client = 0
  clock = 0
  /** Ids that the struct covers, at least 1. */
  length = 0
  info = 0
  kind = 0
  /** Offset of the info byte. The struct ends at `position`. */
  start = 0
  /** Offset of the content, which follows an item's ids and names. */
  contentStart = 0
  originClient = NO_CLIENT
  originClock = 0
  rightOriginClient = NO_CLIENT
  rightOriginClock = 0
  parentClient = NO_CLIENT
  parentClock = 0

  /** The clock after the last id. */
  get end(): number {
    return this.clock + this.length
  }

  /** Reads the struct at `position`, whose first id is (client, clock), and moves past it. */
  read(client: number, clock: number): void {
    this.client = client
    this.clock = clock
    this.start = this.position
    this.info = this.byte()
    this.kind = this.info & KIND_BITS
    this.originClient = NO_CLIENT
    this.rightOriginClient = NO_CLIENT
    this.parentClient = NO_CLIENT
    if (this.kind === KIND.gc || this.kind === KIND.skip) this.#expectNoFlags()
    else this.#readReferences()
    this.contentStart = this.position
    this.length = this.content(this.kind)
    if (this.length === 0) this.fail('a struct of length 0', this.start)
    if (this.end > MAX_CLOCK) this.fail('a struct exceeds clock 2^32', this.start)
  }

  #expectNoFlags(): void {
    if (this.info !== this.kind) this.fail(`struct info ${this.info} has flags that only items have`, this.start)
  }

  /** What the item was inserted between, or else, because an origin knows its parent, what it was inserted into. */
  #readReferences(): void {
    if (this.info & HAS.origin) {
      this.originClient = this.varUint()
      this.originClock = this.#readClock(this.originClient, 'origin')
    }
    if (this.info & HAS.rightOrigin) {
      this.rightOriginClient = this.varUint()
      this.rightOriginClock = this.#readClock(this.rightOriginClient, 'right origin')
    }
    if (this.info & (HAS.origin | HAS.rightOrigin)) return
    this.#readParent()
    if (this.info & HAS.parentSub) this.skipText()
  }

  #readParent(): void {
    const at = this.position
    const hasRootName = this.varUint()
    if (hasRootName > 1) this.fail(`parent info ${hasRootName}, expected 0 (an id) or 1 (a name)`, at)
    if (hasRootName === 1) {
      this.skipText()
      return
    }
    this.parentClient = this.varUint()
    this.parentClock = this.#readClock(this.parentClient, 'parent')
  }

  /** A reference to its own client's later ids, or to itself, makes a struct that throws in every client. */
  #readClock(client: number, role: string): number {
    const clock = this.varUint()
    if (client === this.client && clock >= this.clock) {
      this.fail(`the ${role} (${client}, ${clock}) of struct (${client}, ${this.clock}) is not before it`, this.start)
    }
    return clock
  }
}
