import { randomInt } from 'node:crypto'
import type { Log } from '../../common/log.ts'
import type { Cancel, Clock } from '../../common/timing.ts'
import type { CursorStore } from '../storage.ts'
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

const CLAIM = `
UPDATE coedit.cursors c SET holder = $1 FROM coedit.documents d
WHERE d.name = $2 AND c.document = d.id AND c.cursor = $3 AND ${IS_FREE}
RETURNING c.seq::float8 AS seq`

const UNTOLD = `
SELECT d.name FROM coedit.cursors c JOIN coedit.documents d ON d.id = c.document
WHERE c.cursor = $2 AND ${IS_FREE} ORDER BY c.holder = $1, random() LIMIT $3`

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

  async claim(cursor: string, document: string): Promise<number | undefined> {
    const holder = await this.holder()
    const [row] = await this.#query<{ seq: number }>(CLAIM, [holder, document, cursor])
    return row?.seq
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
    const rows = await this.#query<{ name: string }>(UNTOLD, [this.#holder, cursor, limit])
    return rows.map(({ name }) => name)
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
