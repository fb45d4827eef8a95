import { createHash } from 'node:crypto'
import type { StoredRevocation, Unfollow } from '../storage.ts'
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
const SUMMARY = `
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

/** Tells those who follow that other nodes may have stored revocations. */
export class RevocationWatch {
  readonly #read: <T>(work: (link: Link) => Promise<T>) => Promise<T>
  readonly #followers = new Set<() => void>()
  #summary: string | undefined

  constructor(read: <T>(work: (link: Link) => Promise<T>) => Promise<T>) {
    this.#read = read
  }

  add(onChange: () => void): Unfollow {
    const follower = () => onChange()
    this.#followers.add(follower)
    return () => this.#followers.delete(follower)
  }

  tell(): void {
    for (const follower of this.#followers) follower()
  }

  /** Tells them where what is stored is not what it was the last time. Rejects as reading does. */
  async check(): Promise<void> {
    if (this.#followers.size === 0) return
    const [row] = await this.#read((link) => link.query<{ summary: string }>({ text: SUMMARY }))
    if (row?.summary === this.#summary) return
    this.#summary = row?.summary
    this.tell()
  }
}

function idOf(target: string | null): string {
  return target === null ? EVERYTHING : createHash('sha256').update(target).digest('hex')
}
