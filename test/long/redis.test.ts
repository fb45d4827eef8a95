import { test } from 'vitest'
import { PostgresStorage } from '../../server/src/storage/postgres/postgres-storage.ts'
import { sharedCoresConformance } from '../conformance/shared-cores.ts'
import { sharedStorageConformance } from '../conformance/shared-storage.ts'
import type { StorageHost } from '../conformance/storage-scene.ts'
import { afterTests } from '../support/after-tests.ts'
import { findPostgres, NO_POSTGRES, startPostgres } from '../support/postgres.ts'
import { findRedis, NO_REDIS, startRedis } from '../support/redis.ts'
import type { Release } from '../support/temporary.ts'

if (findPostgres() === undefined) test('servers on Redis', ({ skip }) => skip(NO_POSTGRES))
else if (findRedis() === undefined) test('servers on Redis', ({ skip }) => skip(NO_REDIS))
else {
  const postgres = await startPostgres(afterTests())
  const redis = await startRedis(afterTests())

  const hostOf = async (release: Release): Promise<StorageHost> => {
    const url = await postgres.borrowDatabase(release)
    return {
      async open() {
        const storage = new PostgresStorage({ url, hintsUrl: redis.url })
        await storage.open()
        release(() => storage.close())
        return storage
      },
    }
  }

  sharedStorageConformance('PostgresStorage with Redis', hostOf)
  sharedCoresConformance('PostgresStorage with Redis', hostOf)
}
