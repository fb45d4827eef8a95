import * as Y from 'yjs'
import { type Clock, systemClock } from '../../server/src/common/timing.ts'
import { parseOptions } from '../../server/src/config/config.ts'
import { Documents } from '../../server/src/document/documents.ts'
import { HookCalls } from '../../server/src/hooks/calls.ts'
import type { Storage } from '../../server/src/storage/storage.ts'
import { WorkerPool } from '../../server/src/workers/pool.ts'
import { recordingLog } from './log.ts'
import type { Release } from './temporary.ts'

export interface CoreOptions {
  /** Where the clean-up goes. */
  readonly release: Release
  /** Open, and closed by the test after the core. */
  readonly storage: Storage
  readonly clock?: Clock
  readonly options?: Parameters<typeof parseOptions>[0]
}

/** The documents as a server holds them, without sockets. */
export function openCore({ release, storage, clock = systemClock, options = {} }: CoreOptions) {
  const { log, lines } = recordingLog()
  const workers = new WorkerPool({ log })
  const context = { config: parseOptions(options), clock, log }
  const documents = new Documents({ ...context, storage, workers, hooks: new HookCalls({}, context), yjs: Y })
  release(async () => {
    await documents.close()
    await workers.close()
  })
  return { documents, lines, workers }
}
