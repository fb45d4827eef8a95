import type { Serial } from '../../common/serial.ts'
import type { Clock } from '../../common/timing.ts'
import type { Database } from './database.ts'
import type { DocumentTable } from './document-table.ts'
import type { Openings } from './incarnation.ts'

/** What the parts of a storage share. */
export interface LevelContext {
  readonly database: Database
  readonly openings: Openings
  readonly documents: DocumentTable
  /** What every write passes through, one at a time. */
  readonly gate: Serial
  readonly clock: Clock
  /** @throws CoeditError STORAGE_CLOSED */
  assertOpen(): void
}
