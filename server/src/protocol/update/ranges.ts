import { ByteReader, MAX_CLIENTS, MAX_DELETED_RANGES } from '../wire/reader.ts'
import { ByteWriter } from '../wire/writer.ts'
import { MAX_CLOCK } from './structs.ts'

/**
 * Clocks of one client as half-open ranges in a flat list `[start, end, start, end, …]`, ascending, with a gap
 * between any two.
 */
export type Ranges = number[]

/** Ids: the ranges of each client. */
export type IdRanges = ReadonlyMap<number, Ranges>

export const NO_RANGES: IdRanges = new Map()

/** The encoded delete set of an update without deletions. */
export const NO_DELETES = Uint8Array.of(0)
/** Bytes that a client's header and a range take at most in a delete set. */
export const DELETED_CLIENT_BYTES = 8 + 5
export const DELETED_RANGE_BYTES = 5 + 5

const COLLECTED_BEFORE_MERGING = 4096
/** Ranges that are read in one step: some milliseconds. */
const PART_RANGES = 8192

/** Takes ranges in any order, overlapping or not, and merges them. Its memory follows the merged ranges. */
export class RangeCollector {
  #ranges: Ranges = []
  #isSorted = true
  #mergeAt = COLLECTED_BEFORE_MERGING

  add(start: number, end: number): void {
    const ranges = this.#ranges
    const last = ranges.length - 2
    if (last >= 0 && start >= ranges[last] && start <= ranges[last + 1]) {
      ranges[last + 1] = Math.max(ranges[last + 1], end)
      return
    }
    if (last >= 0 && start < ranges[last]) this.#isSorted = false
    ranges.push(start, end)
    if (!this.#isSorted && ranges.length >= this.#mergeAt) this.#merge()
  }

  /** Ranges held at present; more than in the result while they are not merged. */
  get size(): number {
    return this.#ranges.length / 2
  }

  finish(): Ranges {
    if (!this.#isSorted) this.#merge()
    return this.#ranges
  }

  #merge(): void {
    this.#ranges = union([this.#ranges])
    this.#isSorted = true
    this.#mergeAt = Math.max(COLLECTED_BEFORE_MERGING, 2 * this.#ranges.length)
  }
}

/**
 * The union of flat lists of ranges, whose ranges may lie in any order. Starts and ends are sorted apart from each
 * other: which end belongs to which start does not matter to the union.
 */
export function union(lists: readonly Ranges[]): Ranges {
  const count = lists.reduce((sum, list) => sum + list.length / 2, 0)
  const starts = new Float64Array(count)
  const ends = new Float64Array(count)
  let filled = 0
  let isSorted = true
  for (const list of lists) {
    for (let i = 0; i < list.length; i += 2) {
      if (filled > 0 && list[i] < ends[filled - 1]) isSorted = false
      starts[filled] = list[i]
      ends[filled++] = list[i + 1]
    }
  }
  // Deletions mostly come in order, and to sort hundreds of thousands takes a tenth of a second.
  if (!isSorted) {
    starts.sort()
    ends.sort()
  }
  const merged: Ranges = []
  let from = 0
  for (let i = 0; i < count; i++) {
    if (i + 1 < count && starts[i + 1] <= ends[i]) continue
    merged.push(starts[from], ends[i])
    from = i + 1
  }
  return merged
}

/** Index of the first range, from index `from` on, that ends after `clock`. */
export function firstEndingAfter(ranges: Ranges, clock: number, from: number): number {
  let low = from / 2
  let high = ranges.length / 2
  while (low < high) {
    const middle = (low + high) >>> 1
    if (ranges[2 * middle + 1] > clock) high = middle
    else low = middle + 1
  }
  return 2 * low
}

/** Index of the first range that starts after `clock`. */
export function firstStartingAfter(ranges: Ranges, clock: number): number {
  let low = 0
  let high = ranges.length / 2
  while (low < high) {
    const middle = (low + high) >>> 1
    if (ranges[2 * middle] > clock) high = middle
    else low = middle + 1
  }
  return 2 * low
}

/**
 * Reads a delete set of Yjs (v1). Its clients and ranges may come in any order, repeat and overlap: that is how older
 * clients write them.
 */
export function readDeleteSet(reader: ByteReader): IdRanges {
  const clients = reader.count(2, 'clients with deletions')
  if (clients === 0) return NO_RANGES
  if (clients > MAX_CLIENTS) reader.fail(`${clients} clients with deletions, more than ${MAX_CLIENTS}`)
  const collectors = new Map<number, RangeCollector>()
  let size = 0
  for (let i = 0; i < clients; i++) size += readClientDeletions(reader, collectors, MAX_DELETED_RANGES - size)
  const ranges = new Map<number, Ranges>()
  for (const [client, collector] of collectors) ranges.set(client, collector.finish())
  return ranges
}

/**
 * Reads a delete set that `encodeDeleteSet` wrote, a part at a time: a document may have millions of ranges.
 * @throws CoeditError UPDATE_MALFORMED
 */
export function* readInParts(deleteSet: Uint8Array): Generator<IdRanges, void, void> {
  const reader = new ByteReader(deleteSet, 0, 'UPDATE_MALFORMED')
  let part = new Map<number, Ranges>()
  let free = PART_RANGES
  for (let clients = reader.count(2, 'clients with deletions'); clients > 0; clients--) {
    const client = reader.varUint()
    for (let left = reader.count(2, 'deleted ranges'); left > 0; ) {
      const count = Math.min(left, free)
      part.set(client, readRanges(reader, count))
      left -= count
      free -= count
      if (free > 0) continue
      yield part
      part = new Map()
      free = PART_RANGES
    }
  }
  reader.expectEnd()
  if (part.size > 0) yield part
}

function readRanges(reader: ByteReader, count: number): Ranges {
  const ranges: Ranges = []
  for (let i = 0; i < count; i++) {
    const start = reader.varUint()
    ranges.push(start, start + reader.varUint())
  }
  return ranges
}

/** @returns how many ranges more are held after it, at most `maxRanges` */
function readClientDeletions(reader: ByteReader, collectors: Map<number, RangeCollector>, maxRanges: number): number {
  const client = reader.varUint()
  const count = reader.count(2, 'deleted ranges')
  if (count === 0) return 0
  const collector = collectors.get(client) ?? new RangeCollector()
  const before = collector.size
  collectors.set(client, collector)
  for (let i = 0; i < count; i++) {
    const at = reader.position
    const start = reader.varUint()
    const end = start + reader.varUint()
    if (end > MAX_CLOCK) reader.fail('a deleted range exceeds 2^32', at)
    if (end > start) collector.add(start, end)
    if (collector.size - before > maxRanges) reader.fail(`more than ${MAX_DELETED_RANGES} deleted ranges`, at)
  }
  return collector.size - before
}

/** The ids of several sets together. */
export function unionOf(sets: readonly IdRanges[]): IdRanges {
  const lists = new Map<number, Ranges[]>()
  for (const set of sets) {
    for (const [client, ranges] of set) {
      const list = lists.get(client)
      if (list === undefined) lists.set(client, [ranges])
      else list.push(ranges)
    }
  }
  return new Map([...lists].map(([client, list]) => [client, list.length === 1 ? list[0] : union(list)]))
}

/** What of the client's ranges lies below `clock`. */
export function below(ranges: Ranges, clock: number): Ranges {
  if (ranges.length === 0 || ranges[ranges.length - 1] <= clock) return ranges
  const first = firstEndingAfter(ranges, clock, 0)
  const known = ranges.slice(0, first)
  if (ranges[first] < clock) known.push(ranges[first], clock)
  return known
}

/** Encodes a delete set (v1) as Yjs does: clients descending, ranges ascending. */
export function encodeDeleteSet(deletes: IdRanges): Uint8Array {
  if (deletes.size === 0) return NO_DELETES
  const clients = [...deletes].filter(([, ranges]) => ranges.length > 0).sort(([a], [b]) => b - a)
  const writer = new ByteWriter()
  writer.varUint(clients.length)
  for (const [client, ranges] of clients) {
    writer.varUint(client)
    writer.varUint(ranges.length / 2)
    for (let i = 0; i < ranges.length; i += 2) {
      writer.varUint(ranges[i])
      writer.varUint(ranges[i + 1] - ranges[i])
    }
  }
  return writer.finish()
}
