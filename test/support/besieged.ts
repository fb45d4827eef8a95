import { beforeEach, expect } from 'vitest'
import { engineOf } from '../../server/src/storage/engine.ts'
import { afterTests } from './after-tests.ts'
import { type InProcessOptions, type InProcessServer, startInProcess } from './in-process-server.ts'
import { recordingLog } from './log.ts'
import { findPostgres, NO_POSTGRES, startPostgres } from './postgres.ts'
import { manyNodes } from './runs.ts'

/** A server that somebody is about to attack. */
export interface Besieged extends InProcessServer {
  /** Other servers with the same documents; none where it is alone. */
  readonly others: readonly string[]
  /** Closes all of them, and resolves with the names of what is stored. */
  storedNames(): Promise<readonly string[]>
}

const MOST_NAMES = 1000
const isCluster = manyNodes() && findPostgres() !== undefined
const postgres = isCluster ? await startPostgres(afterTests()) : undefined

if (manyNodes() && !isCluster) beforeEach(({ skip }) => skip(NO_POSTGRES))

/**
 * Starts the server that a test attacks: alone on its directory, or, in the project `besieged`, as one of three
 * that share a PostgreSQL. The others must have nothing to complain of, whatever befalls this one.
 */
export async function startBesieged(settings: InProcessOptions): Promise<Besieged> {
  const { release, options } = settings
  const database = (await postgres?.borrowDatabase(release)) ?? ''
  const start = () => startInProcess({ ...settings, options: { ...options, database } })
  const attacked = await start()
  const others = isCluster ? [await start(), await start()] : []
  release(async () => {
    for (const { lines } of others) expect(lines.filter(({ level }) => level === 'error')).toEqual([])
  })
  const storedNames = async () => {
    for (const { server } of [attacked, ...others]) await server.close()
    const storage = engineOf({ data: attacked.data, database }, { ...recordingLog(), serves: false })
    await storage.open()
    try {
      return await storage.list('', undefined, MOST_NAMES)
    } finally {
      await storage.close()
    }
  }
  return { ...attacked, others: others.map(({ url }) => url), storedNames }
}
