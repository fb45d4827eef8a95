import { encodeDeleteSet, type IdRanges, unionOf } from './ranges.ts'
import { type StructRun, sectionRun, startRun } from './runs.ts'
import { indexUpdate, type ScannedUpdate, type Section } from './scan.ts'
import { writeUpdate } from './sections.ts'
import type { Clocks } from './state.ts'
import { StructReader } from './structs.ts'
import type { News } from './take.ts'

/** An update that brings nothing. Not to be written to: it is everybody's. */
export const EMPTY_UPDATE: Uint8Array = Uint8Array.of(0, 0)

/** One canonical update of several takes, in the order in which they were taken, with text typed in a row joined. */
export function encodeNews(news: readonly News[]): Uint8Array {
  if (news.length === 1) return writeUpdate(news[0].runs, encodeDeleteSet(news[0].deletes))
  return compose(
    news.flatMap(({ runs }) => runs),
    news.map(({ deletes }) => deletes),
  )
}

/**
 * Merges consecutive entries of a log, in their order. Since they are disjoint and without holes, this is copying, and
 * joining text that was typed in a row; Y.mergeUpdates sorts all updates again for each of them, which is quadratic in
 * the number of entries.
 * @throws Error where an entry does not begin where those before it end: writing on would shift its ids.
 */
export function mergeEntries(updates: readonly Uint8Array[]): Uint8Array {
  if (updates.length === 1) return updates[0]
  const entries = updates.map(indexUpdate)
  return compose(
    entries.flatMap(({ bytes, sections }) => sections.map((section) => sectionRun(bytes, section))),
    entries.map(({ deletes }) => deletes),
  )
}

/**
 * What a client with the state vector `clocks` lacks of a stored update: the structs from its clocks on, and all
 * deletions, since clocks do not say which of them it has. Null when that is nothing.
 */
export function diffUpdate(update: Uint8Array, clocks: Clocks): Uint8Array | null {
  const index = indexUpdate(update)
  const runs: StructRun[] = []
  for (const section of index.sections) {
    const run = missingRun(index, section, clocks.get(section.client) ?? 0)
    if (run !== null) runs.push(run)
  }
  const deletes = update.subarray(index.deletesStart)
  return runs.length === 0 && index.deletes.size === 0 ? null : writeUpdate(runs, deletes)
}

function compose(runs: readonly StructRun[], deletes: readonly IdRanges[]): Uint8Array {
  return writeUpdate(runs, encodeDeleteSet(unionOf(deletes)))
}

/** The structs of the section from `clock` on. */
function missingRun(index: ScannedUpdate, section: Section, clock: number): StructRun | null {
  if (section.end <= clock) return null
  if (section.clock >= clock) return sectionRun(index.bytes, section)
  const struct = new StructReader(index.bytes, false)
  struct.position = section.from
  struct.read(section.client, section.clock)
  let left = section.count
  for (; struct.end <= clock; left--) struct.read(section.client, struct.end)
  const run = startRun(struct, Math.max(0, clock - struct.clock))
  return { ...run, end: section.end, count: left, to: section.to }
}
