import type { Clock } from '../../common/timing.ts'
import type { CompactionRequest, Snapshot } from '../document-store.ts'
import { pack } from './checked.ts'
import { historyParameters, prepareHistory } from './history.ts'
import type { Run } from './link.ts'
import { STATES, stateOf } from './pg-errors.ts'
import { descriptionChecksum } from './reading.ts'
import { EPOCH, INCARNATION } from './schema/documents.ts'

/** A snapshot is much to write: so many milliseconds may pass without an answer. */
const SNAPSHOT_SILENCE_MS = 120_000

const COMPACT = 'SELECT coedit.compact($1, $2, $3, $4, $5, $6, $7, $8::integer[], $9::integer[], $10) AS done'
const COMPACT_KEEPING = `SELECT coedit.compact($1, $2, $3, $4, $5, $6, $7, $8::integer[], $9::integer[], $10,
  $11, $12::double precision[], $13::integer[], $14::integer[], $15, $16::integer[], $17::integer[], $18) AS done`

const STORE_SNAPSHOT = `
WITH made AS (
  INSERT INTO coedit.documents (name, incarnation, head, created_at, updated_at, epoch)
  VALUES ($1, ${INCARNATION}, $2, $3, $3, ${EPOCH}) ON CONFLICT DO NOTHING RETURNING id
), described AS (
  INSERT INTO coedit.snapshots SELECT id, $2, cardinality($7::integer[]), $4::integer, $5::bytea, $6::bytea FROM made
)
INSERT INTO coedit.chunks SELECT made.id, p.n, p.checksum,
  substr($9::bytea, 1 + (sum(p.size) OVER (ORDER BY p.n) - p.size)::integer, p.size)
FROM made, unnest($7::integer[], $8::integer[]) WITH ORDINALITY AS p(size, checksum, n)`

/** The snapshots that documents in a database begin with. */
export class SnapshotTable {
  readonly #run: Run
  readonly #clock: Clock

  constructor(run: Run, clock: Clock) {
    this.#run = run
    this.#clock = clock
  }

  /** As `DocumentStore.compact` has it. */
  async compact(document: string, { snapshot, replaces, incarnation, history }: CompactionRequest): Promise<boolean> {
    const { seq } = snapshot
    const values = [document, incarnation ?? null, replaces, seq, ...contentOf(snapshot)]
    for (;;) {
      try {
        const [row] = await this.#run(async (link) => {
          const prepared = history && (await prepareHistory(link, { document, replaces, seq }, history))
          const query = prepared
            ? { text: COMPACT_KEEPING, values: [...values, ...historyParameters(prepared)] }
            : { text: COMPACT, values }
          return link.query<{ done: boolean }>({ ...query, silenceMs: SNAPSHOT_SILENCE_MS })
        })
        return row?.done === true
      } catch (error) {
        // Old segments were removed meanwhile, maybe those that these were to go on with.
        if (stateOf(error) !== STATES.outrun) throw error
      }
    }
  }

  /** As `DocumentStore.storeSnapshot` has it. */
  async store(document: string, snapshot: Snapshot): Promise<void> {
    const values = [document, snapshot.seq, this.#clock.now(), ...contentOf(snapshot)]
    await this.#run((link) => link.query({ text: STORE_SNAPSHOT, values, silenceMs: SNAPSHOT_SILENCE_MS }))
  }
}

/** The parameters that say what is in a snapshot. */
function contentOf({ chunks, stateVector, deleteSet }: Snapshot): readonly unknown[] {
  const { sizes, checksums, content } = pack(chunks)
  return [descriptionChecksum(stateVector, deleteSet), stateVector, deleteSet, sizes, checksums, content]
}
