import type { RawLevel } from './database.ts'
import type { KeyRange } from './keys.ts'
import { DisorderError, isCorruption } from './level-errors.ts'
import type { RawRecord } from './records.ts'

/** What an iterator fetches at a time. The default of 16 KiB is one round trip for each few entries. */
const READ_AHEAD_BYTES = 1024 * 1024

/**
 * All records of a range. Rejects where LevelDB cannot read one of them. It does not notice when damage has put keys out of
 * order, and ends at the first one that is too large; the last key, read from the other end, is another one then.
 */
export async function readRange(level: RawLevel, { gte, lt }: KeyRange): Promise<RawRecord[]> {
  const snapshot = level.snapshot()
  try {
    const records: RawRecord[] = []
    for await (const [key, value] of level.iterator({ gte, lt, snapshot, highWaterMarkBytes: READ_AHEAD_BYTES })) {
      records.push({ key, value })
    }
    const last = await lastKey(level, { gte, lt, snapshot })
    if (last !== 'unknown' && !isSameKey(last, records.at(-1)?.key)) throw new DisorderError()
    return records
  } finally {
    await snapshot.close()
  }
}

/**
 * The last record of a range. Rejects where LevelDB cannot read it. Read backwards, LevelDB skips in silence what it
 * cannot read, so the range is read forwards again from the key that it found.
 */
export async function readLast(level: RawLevel, { gte, lt }: KeyRange): Promise<RawRecord | undefined> {
  const last = await lastKey(level, { gte, lt })
  const from = last instanceof Uint8Array ? last : gte
  return (await readRange(level, { gte: from, lt })).at(-1)
}

/** Undefined for an empty range; unknown where what is before the range is damaged, which LevelDB reads on its way back. */
async function lastKey(
  level: RawLevel,
  range: KeyRange & { readonly snapshot?: ReturnType<RawLevel['snapshot']> },
): Promise<Uint8Array | undefined | 'unknown'> {
  const keys = level.keys({ ...range, reverse: true })
  try {
    return await keys.next()
  } catch (error) {
    if (!isCorruption(error)) throw error
    return 'unknown'
  } finally {
    await keys.close()
  }
}

function isSameKey(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && Buffer.compare(a, b) === 0)
}
