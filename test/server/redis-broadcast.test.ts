import { expect, onTestFinished, test } from 'vitest'
import { PostgresStorage } from '../../server/src/storage/postgres/postgres-storage.ts'
import { relayConformance } from '../conformance/relay.ts'
import { sharedCoresConformance } from '../conformance/shared-cores.ts'
import { sharedStorageConformance } from '../conformance/shared-storage.ts'
import type { StorageHost } from '../conformance/storage-scene.ts'
import { afterTests } from '../support/after-tests.ts'
import { recordingLog } from '../support/log.ts'
import { findPostgres, NO_POSTGRES, startPostgres } from '../support/postgres.ts'
import { findRedis, NO_REDIS, startRedis } from '../support/redis.ts'
import { isLong } from '../support/runs.ts'
import type { Release } from '../support/temporary.ts'

if (findPostgres() === undefined) test('hints by Redis', ({ skip }) => skip(NO_POSTGRES))
else if (findRedis() === undefined) test('hints by Redis', ({ skip }) => skip(NO_REDIS))
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

  relayConformance('PostgresStorage with Redis', hostOf)
  if (isLong()) {
    sharedStorageConformance('PostgresStorage with Redis', hostOf)
    sharedCoresConformance('PostgresStorage with Redis', hostOf)
  }

  test('what is appended comes by Redis, and nothing is sent by NOTIFY', async () => {
    const url = await postgres.borrowDatabase(onTestFinished)
    const [writer, reader] = [
      new PostgresStorage({ url, hintsUrl: redis.url }),
      new PostgresStorage({ url, hintsUrl: redis.url }),
    ]
    for (const storage of [writer, reader]) {
      await storage.open()
      onTestFinished(() => storage.close())
    }
    const listening = await postgres.execute(url, `SELECT 1 FROM pg_stat_activity WHERE query LIKE 'LISTEN%'`)
    expect(listening).toEqual([])
    await connected(writer)
    await connected(reader)
    const told = new Promise<number>((resolve) => {
      reader.follow('notes', 0, ({ entries }) => resolve(entries.length))
    })
    await writer.append([{ document: 'notes', update: Uint8Array.of(0, 0), base: 0 }])
    expect(await told).toBe(1)
  })

  test('a Redis that dies costs no edit, is told once, and is used again when it is back', async () => {
    const mortal = await startRedis(onTestFinished)
    const url = await postgres.borrowDatabase(onTestFinished)
    const { log, lines } = recordingLog()
    const [writer, reader] = [
      new PostgresStorage({ url, hintsUrl: mortal.url }),
      new PostgresStorage({ url, hintsUrl: mortal.url, log }),
    ]
    for (const storage of [writer, reader]) {
      await storage.open()
      onTestFinished(() => storage.close())
      await connected(storage)
    }
    const seen: number[] = []
    let look: () => void = () => undefined
    reader.follow('notes', 0, ({ entries }) => {
      seen.push(...entries.map(({ seq }) => seq))
      look()
    })
    const append = (base: number) => writer.append([{ document: 'notes', update: Uint8Array.of(0, 0), base }])
    const has = (seq: number) =>
      new Promise<void>((resolve) => {
        look = () => {
          if (seen.includes(seq)) resolve()
        }
        look()
      })
    const deaf = disconnected(reader)
    await mortal.kill()
    await deaf
    await append(0)
    await has(1)
    const again = Promise.all([connected(writer), connected(reader)])
    await mortal.restart()
    await again
    await append(1)
    await has(2)
    expect(lines.filter(({ message }) => message.startsWith('Redis cannot be used'))).toHaveLength(1)
  })
}

function connected(storage: PostgresStorage): Promise<void> {
  return new Promise((resolve) => {
    const leave = storage.relay.subscribe({
      onMessage: () => undefined,
      onConnected: resolve,
      onDisconnected: () => undefined,
    })
    onTestFinished(() => void leave())
  })
}

function disconnected(storage: PostgresStorage): Promise<void> {
  return new Promise((resolve) => {
    storage.relay.subscribe({ onMessage: () => undefined, onConnected: () => undefined, onDisconnected: resolve })
  })
}
