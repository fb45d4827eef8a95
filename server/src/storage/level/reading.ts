import type { RawLevel } from './database.ts'
import { DisorderError } from './errors.ts'
import type { KeyRange } from './keys.ts'
import type { RawRecord } from './records.ts'

/** What an iterator fetches at a time. The default of 16 KiB is one round trip for each few entries. */
const READ_AHEAD_BYTES = 1024 * 1024

/**
 * All records of a range. Rejects where LevelDB cannot read one of them. Where damage has put keys out of order it does not
 * notice that, and takes one that is too large for the end; who comes from behind then finds another last one.
 */
export async function readRange(level: RawLevel, { gte, lt }: KeyRange): Promise<RawRecord[]> {
  const snapshot = level.snapshot()
  try {
    const records: RawRecord[] = []
    for await (const [key, value] of level.iterator({ gte, lt, snapshot, highWaterMarkBytes: READ_AHEAD_BYTES })) {
      records.push({ key, value })
    }
    const [last] = await level.keys({ gte, lt, snapshot, reverse: true, limit: 1 }).all()
    if (!isSameKey(last, records.at(-1)?.key)) throw new DisorderError()
    return records
  } finally {
    await snapshot.close()
  }
}

/**
 * The last record of a range. Rejects where LevelDB cannot read it: on the way back to the one before it, LevelDB passes
 * over what it cannot read in silence, so the way is gone forth again.
 */
export async function readLast(level: RawLevel, { gte, lt }: KeyRange): Promise<RawRecord | undefined> {
  const [found] = await level.keys({ gte, lt, reverse: true, limit: 1 }).all()
  const [last] = (await readRange(level, { gte: found ?? gte, lt })).slice(-1)
  return last
}

function isSameKey(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && Buffer.compare(a, b) === 0)
}
