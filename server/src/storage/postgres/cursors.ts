import { randomInt } from 'node:crypto'
import type { Log } from '../../common/log.ts'
import type { Cancel, Clock } from '../../common/timing.ts'
import type { CursorFailure, CursorPlace, CursorStore, PostponedCursor } from '../storage.ts'
import { MAX_REASON_LENGTH } from '../webhook-cursor.ts'
import type { Link } from './link.ts'

/** How long a server counts as alive after its last sign of life, in seconds of the database. */
const LEASE_SECONDS = 5
/** How often it gives one, in milliseconds. */
const BEAT_MS = 1_000

const BEAT = `
WITH gone AS (DELETE FROM coedit.holders WHERE id <> $1 AND until < now() - interval '1 day')
INSERT INTO coedit.holders VALUES ($1, now() + interval '${LEASE_SECONDS} s')
ON CONFLICT (id) DO UPDATE SET until = excluded.until`

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
  readonly log: Log
  /** Does something on a connection, and again until it has succeeded. */
  run<T>(work: (link: Link) => Promise<T>): Promise<T>
}

/** The cursors that this server holds. It shows that it is alive from the first one on. */
export class Cursors implements CursorStore {
  readonly #context: CursorsContext
  readonly #holder = randomInt(1, 2 ** 48 - 1)
  #started: Promise<void> | undefined
  #next: Cancel | undefined
  #isClosed = false

  constructor(context: CursorsContext) {
    this.#context = context
  }

  /** By which number the database knows this server. Resolves when it counts as alive. */
  async holder(): Promise<number> {
    this.#started ??= this.#beat()
    await this.#started
    return this.#holder
  }

  async claim(cursor: string, document: string): Promise<CursorPlace | undefined> {
    const holder = await this.holder()
    const [row] = await this.#query<PlaceRow>(CLAIM, [holder, document, cursor])
    if (!row) return undefined
    const { seq, deleted_at: deletedAt } = row
    return {
      seq,
      ...(deletedAt !== null && { deletedAt }),
      ...(row.failures > 0 && { failure: failureIn(row) }),
    }
  }

  async advance(
    cursor: string,
    document: string,
    seq: number,
    incarnation: number,
  ): Promise<'told' | 'behind' | 'lost'> {
    const text = 'SELECT coedit.advance($1, $2, $3, $4, $5) AS outcome'
    const values = [cursor, document, this.#holder, incarnation, seq]
    const [row] = await this.#query<{ outcome: 'told' | 'behind' | 'lost' }>(text, values)
    return row?.outcome ?? 'lost'
  }

  async untold(cursor: string, limit: number): Promise<readonly string[]> {
    const rows = await this.#query<{ name: string }>(UNTOLD, [this.#holder, cursor, limit, this.#context.clock.now()])
    return rows.map(({ name }) => name)
  }

  async toldDeletion(cursor: string, document: string, deletedAt: number): Promise<'told' | 'behind' | 'lost'> {
    const values = [this.#holder, document, cursor, deletedAt]
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
    const values = [this.#holder, document, cursor, count, since, retryAt ?? 'infinity', told]
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

  /** Leaves the cursors to the others. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#next?.()
    if (!this.#started) return
    try {
      await this.#started
      await this.#query('DELETE FROM coedit.holders WHERE id = $1', [this.#holder])
    } catch (error) {
      // The others take them when this server has shown no sign of life for long enough.
      this.#context.log.debug({ err: error }, 'the cursors of a server could not be released')
    }
  }

  async #beat(): Promise<void> {
    await this.#query(BEAT, [this.#holder])
    this.#beatLater()
  }

  #beatLater(): void {
    if (this.#isClosed) return
    this.#next = this.#context.clock.after(BEAT_MS, () => {
      this.#beat().catch((error: unknown) => this.#failed(error))
    })
  }

  #query<Row>(text: string, values: readonly unknown[]): Promise<Row[]> {
    return this.#context.run((link) => link.query<Row>({ text, values }))
  }

  #failed(error: unknown): void {
    if (!this.#isClosed) this.#context.log.error({ err: error }, 'a sign of life could not be given: others take over')
    this.#beatLater()
  }
}

function failureIn({ failures: count, since, time, reason }: FailureRow): CursorFailure {
  return { count, since, retryAt: Number.isFinite(time) ? time : null, reason }
}
