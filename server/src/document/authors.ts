import { CoeditError } from '../common/errors.ts'
import { decodeShares, decodeWriters, type Ids, type Writer } from '../protocol/update/update.ts'
import type { DatedEntry } from '../storage/history-store.ts'

/** Who has a share in an entry: null is somebody who is not known. What cannot be read is nobody's. */
export function writersOf(authors: Uint8Array): readonly (Writer | null)[] {
  return readable(() => decodeWriters(authors)) ?? [null]
}

/** What a writer has inserted and deleted in these entries. */
export function writtenBy(writer: Writer, entries: readonly DatedEntry[]): readonly Ids[] {
  return entries.flatMap(({ authors, update }) => {
    const index = writersOf(authors).findIndex((one) => isSame(one, writer))
    const ids = index < 0 ? undefined : readable(() => decodeShares(authors, update)[index])
    return ids ? [ids] : []
  })
}

function readable<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (error instanceof CoeditError) return undefined
    throw error
  }
}

function isSame(one: Writer | null, other: Writer): boolean {
  return one?.name === other.name && one.isClaimed === other.isClaimed
}
