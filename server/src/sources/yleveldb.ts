import type { Log } from '../common/log.ts'
import { systemClock } from '../common/timing.ts'
import { ByteReader } from '../protocol/wire/reader.ts'
import { Database, type RawLevel } from '../storage/level/database.ts'
import type { KeyRange } from '../storage/level/keys.ts'
import type { SourceDocument, Visit } from './source.ts'

/*
 * A directory that y-leveldb 0.1 or 0.2 wrote, as y-websocket does with YPERSISTENCE. A key is a row of parts: a text is
 * `00` and a varString, a number `01` and four bytes, big-endian.
 *
 * | key | value |
 * | --- | --- |
 * | `v1` document `update` number | Yjs update (v1) |
 * | `v1` document `meta` name | a value that an application stored |
 * | `v1_sv` document | a state vector that may be older than the updates |
 */
const TEXT = 0

/** Everything whose first part is `v1`. */
const DOCUMENTS: KeyRange = { gte: Uint8Array.of(TEXT, 2, 0x76, 0x31), lt: Uint8Array.of(TEXT, 2, 0x76, 0x32) }

/**
 * Calls `visit` for each document, one after the other, with all of its updates. Names are as they were in the URL:
 * percent-encoded. The directory must be one that may be
 * changed, and that nobody has open: LevelDB tidies up what it opens.
 * Rejects with STORAGE_LOCKED, STORAGE_UNWRITABLE or STORAGE_DAMAGED, and with what `visit` rejects with.
 */
export async function readYLeveldb(directory: string, log: Log, visit: Visit): Promise<void> {
  const database = new Database({ directory, clock: systemClock, log })
  await database.open()
  try {
    await database.read(async (level) => {
      for await (const document of documentsIn(level)) await visit(document)
    })
  } finally {
    await database.close()
  }
}

/** Keys order a document's records next to each other, and its updates by their number. */
async function* documentsIn(level: RawLevel): AsyncGenerator<SourceDocument, void, undefined> {
  let name: string | undefined
  let updates: Uint8Array[] = []
  for await (const [key, value] of level.iterator({ ...DOCUMENTS })) {
    const [, document, kind] = textsIn(key)
    if (kind !== 'update') continue
    if (document !== name) {
      if (name !== undefined) yield { name, updates, problems: [] }
      name = document
      updates = []
    }
    updates.push(value)
  }
  if (name !== undefined) yield { name, updates, problems: [] }
}

/** The parts of a key up to one that is no text. */
function textsIn(key: Uint8Array): string[] {
  const reader = new ByteReader(key, 0, 'STORAGE_DAMAGED')
  const texts: string[] = []
  while (reader.remaining > 0 && reader.byte() === TEXT) texts.push(reader.text())
  return texts
}
