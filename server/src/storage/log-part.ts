import { CoeditError, goneError } from '../common/errors.ts'
import type {
  AppendRequest,
  Deletion,
  KnownWrite,
  Lineage,
  LogEntry,
  LogPart,
  StoredDocument,
} from './document-store.ts'
import { lastStanding, lineageOf } from './lineage.ts'

/** Most bytes of `Appended.between`. */
const MAX_BETWEEN_BYTES = 64 * 1024

/** Where a document that was deleted stands. */
export const NOWHERE: Pick<KnownWrite, 'incarnation' | 'seq'> = { incarnation: 0, seq: 0 }

/** The log of a document that was never written. */
export const NO_LOG: Pick<StoredDocument, 'head' | 'incarnation'> = { head: 0, incarnation: 0 }

/**
 * Checks that the log has what an update builds on, and nothing where it is to be the first.
 * @throws CoeditError STORAGE_CONFLICT, GONE
 */
export function checkBase(request: AppendRequest, log: Lineage & Deletion & Pick<StoredDocument, 'head'>): void {
  const { document, base, incarnation = log.incarnation, isFirst = false, anew = false } = request
  if (log.isDeleted && !anew) throw goneError(document)
  if (isFirst && log.head > 0) throw new CoeditError('STORAGE_CONFLICT', `'${document}' has been written already`)
  if (base <= Math.min(log.head, lastStanding(incarnation, log))) return
  const message = `'${document}' has no entry ${base} of incarnation ${incarnation} any more: load it anew`
  throw new CoeditError('STORAGE_CONFLICT', message)
}

/** What was written between the base of a request and its entry, as far as it is in these entries. */
export function entriesAfter(entries: readonly LogEntry[], base: number): readonly LogEntry[] {
  return upTo(MAX_BETWEEN_BYTES, 0, entries, base)
}

/** What of a document says that it was deleted. */
export function deletionOf(formerClients: Uint8Array | null | undefined, isThere: boolean): Deletion {
  if (!formerClients) return {}
  return isThere ? { formerClients } : { formerClients, isDeleted: true }
}

export function knownKeyError(document: string): CoeditError {
  return new CoeditError('STORAGE_CONFLICT', `a write of '${document}' was done already`)
}

/** The answer to `readAfter`. */
export function partAfter(stored: StoredDocument, after: number, maxBytes = Number.POSITIVE_INFINITY): LogPart | null {
  const { head, tail } = stored
  if (after > head || after < head - tail.length) return null
  return { ...lineageOf(stored), entries: upTo(maxBytes, 1, tail, after) }
}

/** The entries that follow `after` without a gap: up to `maxBytes` of them, but no fewer than `atLeast`. */
function upTo(maxBytes: number, atLeast: number, entries: readonly LogEntry[], after: number): readonly LogEntry[] {
  const found: LogEntry[] = []
  let bytes = 0
  for (const { seq, update } of entries) {
    if (seq <= after) continue
    bytes += update.length
    if (seq !== after + 1 + found.length || (bytes > maxBytes && found.length >= atLeast)) break
    found.push({ seq, update })
  }
  return found
}
