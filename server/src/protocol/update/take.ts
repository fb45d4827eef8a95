import { below, DELETED_CLIENT_BYTES, DELETED_RANGE_BYTES, type IdRanges, NO_RANGES, type Ranges } from './ranges.ts'
import { extendRun, runBytes, type StructRun, startRun } from './runs.ts'
import type { ScannedUpdate } from './scan.ts'
import type { Known } from './state.ts'
import type { StructReader } from './structs.ts'
import { type SectionCursor, walkClosed } from './walk.ts'

/** What an update brought. It refers to the update's bytes, which must stay as they are until it is encoded. */
export interface News {
  readonly runs: readonly StructRun[]
  readonly deletes: IdRanges
  /** Upper bound of the encoded size. */
  readonly byteLength: number
}

export interface Taken {
  /** Null when the update brought nothing new. */
  readonly news: News | null
  /** False when a part of the update was left because it builds on ids, or deletes ids, that are not known. */
  readonly complete: boolean
}

/**
 * Takes what is new in the update and builds only on what is known or taken with it, and advances `known` by it.
 * What is known already is left out, whatever its content: honest clients hold collected or deleted content where
 * others still have it.
 */
export function takeNews(update: ScannedUpdate, known: Known): Taken {
  const cursors = walkClosed(update, {
    known: (client) => known.clocks.get(client) ?? 0,
    gapsAreKnown: false,
    visit: collect,
  })
  const runs: StructRun[] = []
  let complete = true
  for (const { client, run, left, known: clock } of cursors) {
    if (left > 0) complete = false
    if (run === null) continue
    runs.push(run)
    known.advance(client, clock)
  }
  const applicable = applicableDeletes(update.deletes, known)
  const deletes = known.delete(applicable.deletes)
  if (!applicable.complete) complete = false
  if (runs.length === 0 && deletes.size === 0) return { news: null, complete }
  return { news: { runs, deletes, byteLength: sizeOf(runs, deletes) }, complete }
}

function collect(cursor: SectionCursor, struct: StructReader, offset: number): void {
  if (cursor.run === null) cursor.run = startRun(struct, offset)
  else extendRun(cursor.run, struct)
}

function applicableDeletes(deletes: IdRanges, known: Known): { deletes: IdRanges; complete: boolean } {
  if (deletes.size === 0) return { deletes: NO_RANGES, complete: true }
  const applicable = new Map<number, Ranges>()
  let complete = true
  for (const [client, ranges] of deletes) {
    const part = below(ranges, known.clocks.get(client) ?? 0)
    if (part !== ranges) complete = false
    applicable.set(client, part)
  }
  return { deletes: applicable, complete }
}

function sizeOf(runs: readonly StructRun[], deletes: IdRanges): number {
  let size = 2 * DELETED_CLIENT_BYTES
  for (const run of runs) size += runBytes(run)
  for (const ranges of deletes.values()) size += DELETED_CLIENT_BYTES + (ranges.length / 2) * DELETED_RANGE_BYTES
  return size
}
