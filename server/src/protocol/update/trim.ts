import { CoeditError } from '../../common/errors.ts'
import { encodeNews } from './compose.ts'
import { scanUpdate } from './scan.ts'
import type { KnownState } from './state.ts'
import { takeNews } from './take.ts'

/** An update without structs and deletions. */
const NOTHING_NEW = Uint8Array.of(0, 0)

/**
 * What of an entry is new to a log that holds `committed`, which is advanced by it.
 * @throws CoeditError STORAGE_DAMAGED where the entry builds on something that is not in the log
 */
export function trimEntry(update: Uint8Array, committed: KnownState): Uint8Array {
  const scanned = scanUpdate(update)
  if (scanned.sections.every(({ client, clock }) => clock === (committed.clocks.get(client) ?? 0))) {
    committed.absorb(scanned)
    return update
  }
  const { news, complete } = takeNews(scanned, committed)
  if (!complete) throw new CoeditError('STORAGE_DAMAGED', 'an entry of the log builds on one that is not in it')
  return news ? encodeNews([news]) : NOTHING_NEW
}
