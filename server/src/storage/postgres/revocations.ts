import { createHash } from 'node:crypto'
import type { StoredRevocation } from '../storage.ts'
import type { Link } from './link.ts'

/** The id of the revocation of everything, which no hash is. */
const EVERYTHING = 'everything'

// A server whose clock is behind must not let in again what another one has revoked.
const STORE = `
WITH forgotten AS (DELETE FROM coedit.revocations WHERE id = ANY($4::text[]))
INSERT INTO coedit.revocations AS present
SELECT * FROM unnest($1::text[], $2::text[], $3::double precision[])
ON CONFLICT (id) DO UPDATE SET time = greatest(present.time, excluded.time)`

// Times only ever grow, so a sum of them tells whether anything has changed. All of them may be several megabytes.
export const REVOCATIONS_SUMMARY = `
SELECT count(*) || ' ' || coalesce(sum((time * 1000)::bigint), 0) AS summary FROM coedit.revocations`

export function readRevocations(link: Link): Promise<StoredRevocation[]> {
  return link.query<StoredRevocation>({ text: 'SELECT target, time FROM coedit.revocations ORDER BY time' })
}

export async function writeRevocations(
  link: Link,
  revocations: readonly StoredRevocation[],
  forgotten: readonly string[],
): Promise<void> {
  const ids = revocations.map(({ target }) => idOf(target))
  const values = [
    ids,
    revocations.map(({ target }) => target),
    revocations.map(({ time }) => time),
    forgotten.map(idOf).filter((id) => !ids.includes(id)),
  ]
  await link.query({ text: STORE, values })
}

function idOf(target: string | null): string {
  return target === null ? EVERYTHING : createHash('sha256').update(target).digest('hex')
}
