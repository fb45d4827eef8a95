import { randomInt } from 'node:crypto'
import type { Clock } from '../../clock.ts'
import type { Log } from '../../log.ts'
import { BatchWriter } from './batch-writer.ts'
import { Database } from './database.ts'
import { readIds, readMetadata } from './lookup.ts'
import { putMetadata } from './operations.ts'

const MAX_INCARNATION = 2 ** 48 - 1

/** A number that, by chance, no earlier incarnation of any document had. */
export function randomIncarnation(): number {
  return randomInt(1, MAX_INCARNATION)
}

export interface RenewalContext {
  readonly directory: string
  readonly clock: Clock
  readonly log: Log
  readonly newIncarnation: () => number
}

/**
 * Makes every document of a database another incarnation: a copy that is served after its original gives numbers to
 * edits that stood for others there, and a cursor of then must not be taken for one of now. Damaged metadata is left to
 * the repair of its document, which does the same. Rejects as `Storage.open` does.
 */
export async function renewIncarnations({ directory, clock, log, newIncarnation }: RenewalContext): Promise<void> {
  const database = new Database({ directory, clock, log })
  await database.open()
  try {
    const writer = new BatchWriter(database)
    for (const id of await database.read(readIds)) {
      const metadata = await database.read((level) => readMetadata(level, id))
      if (metadata) await writer.add(putMetadata(id, { ...metadata, incarnation: newIncarnation() }))
    }
    await writer.finish()
  } finally {
    await database.close()
  }
}
