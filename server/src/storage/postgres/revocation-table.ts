import { createHash } from 'node:crypto'
import type { Unfollow } from '../document-store.ts'
import type { RevocationStore, StoredRevocation } from '../revocation-store.ts'
import type { Run } from './link.ts'
import { SummaryWatch } from './summary-watch.ts'

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

/** The revocations in a database. */
export class RevocationTable implements RevocationStore {
  readonly #run: Run
  readonly #tellOthers: () => void
  readonly #watch: SummaryWatch

  /** @param tellOthers called when some were stored */
  constructor(run: Run, tellOthers: () => void) {
    this.#run = run
    this.#tellOthers = tellOthers
    this.#watch = new SummaryWatch(SUMMARY, run)
  }

  loadRevocations(): Promise<readonly StoredRevocation[]> {
    const text = 'SELECT target, time FROM coedit.revocations ORDER BY time'
    return this.#run((link) => link.query<StoredRevocation>({ text }))
  }

  async storeRevocations(revocations: readonly StoredRevocation[], forgotten: readonly string[]): Promise<void> {
    const ids = revocations.map(({ target }) => idOf(target))
    const values = [
      ids,
      revocations.map(({ target }) => target),
      revocations.map(({ time }) => time),
      forgotten.map(idOf).filter((id) => !ids.includes(id)),
    ]
    await this.#run((link) => link.query({ text: STORE, values }))
    this.#tellOthers()
  }

  followRevocations(onChange: () => void): Unfollow {
    return this.#watch.add(onChange)
  }

  /** Another server says that it has stored some. */
  changed(): void {
    this.#watch.tell()
  }

  /** Tells those who follow where others have changed something. Rejects as reading does. */
  check(): Promise<void> {
    return this.#watch.check()
  }
}

function idOf(target: string | null): string {
  return target === null ? EVERYTHING : createHash('sha256').update(target).digest('hex')
}
