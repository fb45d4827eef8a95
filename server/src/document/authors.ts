import { CoeditError } from '../common/errors.ts'
import { decodeAuthors, type Ids, type Share, type Writer } from '../protocol/update/update.ts'
import type { DatedEntry } from '../storage/storage.ts'

/** Who wrote what of an entry; what cannot be read is nobody's. */
export function sharesOf(authors: Uint8Array): readonly Share[] {
  try {
    return decodeAuthors(authors)
  } catch (error) {
    if (error instanceof CoeditError) return [{ writer: null }]
    throw error
  }
}

/** What a writer has inserted and deleted in these entries: ids, or an update where all of an entry is theirs. */
export function writtenBy(writer: Writer, entries: readonly DatedEntry[]): readonly (Ids | Uint8Array)[] {
  return entries.flatMap(({ authors, update }) =>
    sharesOf(authors).flatMap((share) => (isSame(share.writer, writer) ? [share.ids ?? update] : [])),
  )
}

function isSame(one: Writer | null, other: Writer): boolean {
  return one?.name === other.name && one.isClaimed === other.isClaimed
}
