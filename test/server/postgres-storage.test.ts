import { test } from 'vitest'
import type { Clock } from '../../server/src/common/timing.ts'
import { PostgresStorage } from '../../server/src/storage/postgres/postgres-storage.ts'
import { relayConformance } from '../conformance/relay.ts'
import { sharedCoresConformance, sharedCoresDeletion, sharedCoresFailover } from '../conformance/shared-cores.ts'
import { sharedStorageConformance } from '../conformance/shared-storage.ts'
import { storageConformance } from '../conformance/storage.ts'
import type { StorageHost } from '../conformance/storage-scene.ts'
import { afterTests } from '../support/after-tests.ts'
import { findPostgres, NO_POSTGRES, startPostgres } from '../support/postgres.ts'
import type { Release } from '../support/temporary.ts'

/** It syncs what it commits. */
const COST = 4

/**
 * What a database has that was promoted without the last entries: that it is another epoch is seen as those before are
 * forgotten.
 */
const LOST = `
BEGIN;
LOCK TABLE coedit.documents IN EXCLUSIVE MODE;
UPDATE coedit.documents d SET epoch = 0,
  head = greatest(head - COUNT, 1, (SELECT seq FROM coedit.snapshots s WHERE s.document = d.id));
DELETE FROM coedit.entries e USING coedit.documents d WHERE d.id = e.document AND e.seq > d.head;
COMMIT`

if (findPostgres() === undefined) test('PostgresStorage', ({ skip }) => skip(NO_POSTGRES))
else {
  const postgres = await startPostgres(afterTests())

  const hostOf = async (release: Release, clock?: Clock): Promise<StorageHost> => {
    const url = await postgres.borrowDatabase(release)
    return {
      async open() {
        const storage = new PostgresStorage({ url, ...(clock && { clock }) })
        await storage.open()
        release(() => storage.close())
        return storage
      },
      async failOver(random) {
        await postgres.execute(url, LOST.replaceAll('COUNT', `${random.below(4)}`))
      },
    }
  }

  storageConformance('PostgresStorage', (clock, release) => hostOf(release, clock), COST)
  sharedStorageConformance('PostgresStorage', (release) => hostOf(release), COST)
  relayConformance('PostgresStorage', (release) => hostOf(release))
  sharedCoresConformance('PostgresStorage', (release) => hostOf(release), COST)
  sharedCoresFailover('PostgresStorage', (release) => hostOf(release), COST)
  sharedCoresDeletion('PostgresStorage', (release) => hostOf(release), COST)
}
