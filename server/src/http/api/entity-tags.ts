import { CoeditError } from '../../common/errors.ts'
import { cursorId, placeOf } from '../../document/cursor-id.ts'
import type { Place } from '../../document/in-process.ts'

export function etag(at: Place): { etag: string } {
  return { etag: `"${cursorId(at)}"` }
}

/** The place in a header of entity tags; undefined where there is none that is ours. */
export function seenIn(header = ''): Place | undefined {
  return placeOf(/^(?:W\/)?"([^"]*)"$/.exec(header.trim())?.[1] ?? '')
}

/** @throws CoeditError EDIT_OUTDATED for a tag that is none of ours: it matches nothing */
export function expectedIn(header: string | undefined): Place | undefined {
  if (header === undefined || header.trim() === '*') return undefined
  const seen = seenIn(header)
  if (!seen) throw new CoeditError('EDIT_OUTDATED', `If-Match is ${header}, expected the ETag of an answer`)
  return seen
}

export function isSame(one: Place, other: Place): boolean {
  return one.incarnation === other.incarnation && one.position === other.position
}
