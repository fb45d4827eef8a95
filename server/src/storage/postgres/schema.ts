import {
  APPEND,
  APPEND_AND_TELL,
  APPEND_BEFORE_CURSORS,
  APPEND_BEFORE_DELETIONS,
  APPEND_BEFORE_HISTORY,
} from './schema/append.ts'
import { COMPACT } from './schema/compaction.ts'
import { ADVANCE, CURSORS, WEBHOOKS } from './schema/cursors.ts'
import { DELETIONS, EPOCHS, REMOVE, TABLES } from './schema/documents.ts'
import { HISTORY } from './schema/history.ts'
import { KEYS } from './schema/keys.ts'

/*
 * What coedit keeps in PostgreSQL, all of it in the schema `coedit`. Times are milliseconds of the epoch
 * with fractions, by the clock of the server that wrote; they are never compared. Checksums are the CRC-32 of zlib, as
 * the server computed it.
 *
 * MIGRATIONS only ever grows: a database has the version of how many of them it has seen. Their parts are in schema/,
 * by what they are about.
 */

/** What makes each version of the one before it. A function is made by the last step that changes it. */
export const MIGRATIONS: readonly string[] = [
  TABLES,
  EPOCHS + COMPACT,
  CURSORS,
  KEYS + DELETIONS,
  HISTORY + REMOVE + APPEND + APPEND_BEFORE_HISTORY + APPEND_BEFORE_DELETIONS + APPEND_BEFORE_CURSORS,
  WEBHOOKS + ADVANCE,
  APPEND_AND_TELL,
]
