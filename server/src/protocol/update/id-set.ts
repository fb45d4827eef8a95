import { firstEndingAfter, firstStartingAfter, type IdRanges, type Ranges } from './ranges.ts'

/** The ids that are deleted in a document. */
export class IdSet {
  readonly #byClient = new Map<number, RangeList>()
  #size = 0

  get ranges(): IdRanges {
    return new Map([...this.#byClient].map(([client, list]) => [client, list.toRanges()]))
  }

  /** How many ranges, of all clients. */
  get size(): number {
    return this.#size
  }

  has(client: number, ranges: Ranges): boolean {
    const list = this.#byClient.get(client)
    for (let i = 0; i < ranges.length; i += 2) if (!list?.has(ranges[i], ranges[i + 1])) return false
    return true
  }

  /**
   * Adds ranges of a client and returns those of them that the set did not have whole before. They are returned whole:
   * what is new of one that spans a million others would be a million gaps.
   */
  add(client: number, ranges: Ranges): Ranges {
    const list = this.#byClient.get(client)
    if (list) return this.#addTo(list, ranges)
    if (ranges.length === 0) return ranges
    this.#byClient.set(client, new RangeList(ranges))
    this.#size += ranges.length / 2
    return ranges
  }

  #addTo(list: RangeList, ranges: Ranges): Ranges {
    const before = list.size
    const added: Ranges = []
    for (let i = 0; i < ranges.length; i += 2) {
      const start = ranges[i]
      const end = ranges[i + 1]
      if (list.has(start, end)) continue
      list.add(start, end)
      added.push(start, end)
    }
    this.#size += list.size - before
    return added
  }
}

/** A block that grows past this is cut in two. */
const MAX_BLOCK_LENGTH = 1024

/** Ranges of one client in blocks, so that adding one to millions moves few of them. */
export class RangeList {
  /** In order, with a gap between any two ranges; none is empty. */
  readonly #blocks: Ranges[] = []
  #length: number

  /** @param ranges at least one */
  constructor(ranges: Ranges) {
    this.#length = ranges.length
    for (let i = 0; i < ranges.length; i += MAX_BLOCK_LENGTH) this.#blocks.push(ranges.slice(i, i + MAX_BLOCK_LENGTH))
  }

  get size(): number {
    return this.#length / 2
  }

  /** Blocks that the ranges lie in. */
  get blocks(): number {
    return this.#blocks.length
  }

  toRanges(): Ranges {
    return this.#blocks.flat()
  }

  has(start: number, end: number): boolean {
    const block = this.#blocks[this.#blockEndingAfter(start)]
    const range = firstEndingAfter(block, start, 0)
    return range < block.length && block[range] <= start && block[range + 1] >= end
  }

  /** Adds a range, joined with those that it meets. */
  add(start: number, end: number): void {
    const blocks = this.#blocks
    // A range that ends where this one starts is met, too.
    const first = this.#blockEndingAfter(start - 1)
    const last = this.#blockEndingAfter(end)
    const head = blocks[first]
    const tail = blocks[last]
    const from = firstEndingAfter(head, start - 1, 0)
    const to = firstStartingAfter(tail, end)
    const joined = [Math.min(start, head[from] ?? start), Math.max(end, tail[to - 1] ?? end)]
    const before = lengthOf(blocks, first, last)
    if (first === last) head.splice(from, to - from, ...joined)
    else blocks.splice(first, last + 1 - first, head.slice(0, from).concat(joined, tail.slice(to)))
    this.#length += blocks[first].length - before
    if (blocks[first].length > MAX_BLOCK_LENGTH) blocks.splice(first, 1, ...halvesOf(blocks[first]))
  }

  /** The index of the first block that ends after `clock`, or else of the last one. */
  #blockEndingAfter(clock: number): number {
    let low = 0
    let high = this.#blocks.length - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      const block = this.#blocks[middle]
      if (block[block.length - 1] > clock) high = middle
      else low = middle + 1
    }
    return low
  }
}

function lengthOf(blocks: readonly Ranges[], first: number, last: number): number {
  let length = 0
  for (let i = first; i <= last; i++) length += blocks[i].length
  return length
}

function halvesOf(block: Ranges): Ranges[] {
  const middle = 2 * Math.floor(block.length / 4)
  return [block.slice(0, middle), block.slice(middle)]
}
