import type { Clock } from '../../common/timing.ts'
import type { CursorFailure, CursorOutcome, CursorPlace, CursorStore, PostponedCursor } from '../cursor-store.ts'
import { MAX_REASON_LENGTH } from '../limits.ts'
import type { Holder } from './holder.ts'
import type { Run } from './link.ts'

/** Whether nobody else holds cursor c who is alive. */
const IS_FREE = `(c.holder = $1 OR NOT EXISTS (SELECT FROM coedit.holders h WHERE h.id = c.holder AND h.until > now()))`

/** Whether nothing is to be told before the entries of document d. */
const IS_FIRST = 'NOT EXISTS (SELECT FROM coedit.farewells f WHERE f.name = d.name AND f.cursor = c.cursor)'

const FAILURE = 'c.failures, c.failing_since AS since, c.retry_at AS time, c.reason'

const CLAIM = `
WITH farewell AS (
  UPDATE coedit.farewells c SET holder = $1 WHERE c.name = $2 AND c.cursor = $3 AND ${IS_FREE}
  RETURNING 0::float8 AS seq, c.deleted_at, ${FAILURE}
), entries AS (
  UPDATE coedit.cursors c SET holder = $1 FROM coedit.documents d
  WHERE d.name = $2 AND c.document = d.id AND c.cursor = $3 AND ${IS_FREE} AND ${IS_FIRST}
  RETURNING c.seq::float8 AS seq, NULL::float8 AS deleted_at, ${FAILURE}
)
SELECT * FROM farewell UNION ALL SELECT * FROM entries`

const UNTOLD = `
SELECT name FROM (
  SELECT c.name, c.holder FROM coedit.farewells c WHERE c.cursor = $2 AND c.retry_at <= $4 AND ${IS_FREE}
  UNION ALL
  SELECT d.name, c.holder FROM coedit.cursors c JOIN coedit.documents d ON d.id = c.document
  WHERE c.cursor = $2 AND c.retry_at <= $4 AND ${IS_FREE} AND ${IS_FIRST}
) untold ORDER BY holder = $1, random() LIMIT $3`

// The second of the two looks at what was there before the first.
const TOLD_DELETION = `
WITH told AS (
  DELETE FROM coedit.farewells c WHERE c.name = $2 AND c.cursor = $3 AND c.holder = $1 AND c.deleted_at = $4
  RETURNING c.cursor
)
SELECT EXISTS (
  SELECT FROM coedit.cursors c JOIN coedit.documents d ON d.id = c.document WHERE d.name = $2 AND c.cursor = $3
) AS is_behind FROM told`

const FAILED = 'failures = $4, failing_since = $5, retry_at = $6, reason = $7'

const POSTPONE_ENTRIES = `
UPDATE coedit.cursors c SET ${FAILED} FROM coedit.documents d
WHERE d.name = $2 AND c.document = d.id AND c.cursor = $3 AND c.holder = $1 AND ${IS_FIRST} RETURNING c.cursor`

const POSTPONE_FAREWELL = `
UPDATE coedit.farewells c SET ${FAILED}
WHERE c.name = $2 AND c.cursor = $3 AND c.holder = $1 AND c.deleted_at = $8 RETURNING c.cursor`

const POSTPONED = `
SELECT c.name AS document, ${FAILURE} FROM coedit.farewells c
WHERE c.cursor = $1 AND c.failures > 0 AND ($2::text IS NULL OR c.name > $2)
UNION ALL
SELECT d.name, ${FAILURE} FROM coedit.cursors c JOIN coedit.documents d ON d.id = c.document
WHERE c.cursor = $1 AND c.failures > 0 AND ($2::text IS NULL OR d.name > $2)
ORDER BY document LIMIT $3`

const NO_FAILURE = `failures = 0, retry_at = 0, reason = ''`

const RETRY = `
WITH farewells AS (
  UPDATE coedit.farewells c SET ${NO_FAILURE} WHERE c.cursor = $1 AND c.failures > 0 AND ($2::text IS NULL OR c.name = $2)
)
UPDATE coedit.cursors c SET ${NO_FAILURE} FROM coedit.documents d
WHERE c.cursor = $1 AND c.failures > 0 AND d.id = c.document AND ($2::text IS NULL OR d.name = $2)`

interface FailureRow {
  readonly failures: number
  readonly since: number
  /** Infinite where it is not tried again. */
  readonly time: number
  readonly reason: string
}

interface PlaceRow extends FailureRow {
  readonly seq: number
  readonly deleted_at: number | null
}

export interface CursorsContext {
  readonly clock: Clock
  readonly holder: Holder
  readonly run: Run
  /** @throws CoeditError STORAGE_CLOSED */
  assertOpen(): void
}

/** The cursors in a database, of which this server holds some. */
export class Cursors implements CursorStore {
  readonly #context: CursorsContext

  constructor(context: CursorsContext) {
    this.#context = context
  }

  async claim(cursor: string, document: string): Promise<CursorPlace | undefined> {
    this.#context.assertOpen()
    const holder = await this.#context.holder.alive()
    const [row] = await this.#query<PlaceRow>(CLAIM, [holder, document, cursor])
    if (!row) return undefined
    const { seq, deleted_at: deletedAt } = row
    return {
      seq,
      ...(deletedAt !== null && { deletedAt }),
      ...(row.failures > 0 && { failure: failureIn(row) }),
    }
  }

  async advance(cursor: string, document: string, seq: number, incarnation: number): Promise<CursorOutcome> {
    const text = 'SELECT coedit.advance($1, $2, $3, $4, $5) AS outcome'
    const values = [cursor, document, this.#context.holder.id, incarnation, seq]
    const [row] = await this.#query<{ outcome: CursorOutcome }>(text, values)
    return row?.outcome ?? 'lost'
  }

  async untold(cursor: string, limit: number): Promise<readonly string[]> {
    const rows = await this.#query<{ name: string }>(UNTOLD, [
      this.#context.holder.id,
      cursor,
      limit,
      this.#context.clock.now(),
    ])
    return rows.map(({ name }) => name)
  }

  async toldDeletion(cursor: string, document: string, deletedAt: number): Promise<CursorOutcome> {
    const values = [this.#context.holder.id, document, cursor, deletedAt]
    const [row] = await this.#query<{ is_behind: boolean }>(TOLD_DELETION, values)
    if (!row) return 'lost'
    return row.is_behind ? 'behind' : 'told'
  }

  async postpone(
    cursor: string,
    document: string,
    { count, since, retryAt, reason }: CursorFailure,
    deletedAt?: number,
  ): Promise<boolean> {
    const told = reason.replaceAll('\0', '').slice(0, MAX_REASON_LENGTH)
    const values = [this.#context.holder.id, document, cursor, count, since, retryAt ?? 'infinity', told]
    const rows =
      deletedAt === undefined
        ? await this.#query(POSTPONE_ENTRIES, values)
        : await this.#query(POSTPONE_FAREWELL, [...values, deletedAt])
    return rows.length > 0
  }

  async listPostponed(cursor: string, after: string | undefined, limit: number): Promise<readonly PostponedCursor[]> {
    const rows = await this.#query<FailureRow & { document: string }>(POSTPONED, [cursor, after ?? null, limit])
    return rows.map((row) => ({ document: row.document, ...failureIn(row) }))
  }

  async retry(cursor: string, document?: string): Promise<void> {
    await this.#query(RETRY, [cursor, document ?? null])
  }

  #query<Row>(text: string, values: readonly unknown[]): Promise<Row[]> {
    return this.#context.run((link) => link.query<Row>({ text, values }))
  }
}

function failureIn({ failures: count, since, time, reason }: FailureRow): CursorFailure {
  return { count, since, retryAt: Number.isFinite(time) ? time : null, reason }
}
