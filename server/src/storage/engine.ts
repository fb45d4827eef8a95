import type { Log } from '../common/log.ts'
import type { Clock } from '../common/timing.ts'
import { LevelStorage } from './level/level-storage.ts'
import { PostgresStorage } from './postgres/postgres-storage.ts'
import type { Storage } from './storage.ts'

/** Where documents are kept: in PostgreSQL where `database` is not empty, otherwise in a directory. */
export interface Place {
  readonly data: string
  readonly database: string
  /** Empty where `database` itself lets coedit listen. */
  readonly databaseDirect?: string
  /** Empty where servers tell each other by `database`. */
  readonly hints?: string
}

export interface EngineOptions {
  readonly clock?: Clock
  readonly log: Log
  /** Whether it is a server that opens it, rather than a command, which finds what is there and makes nothing. */
  readonly serves: boolean
}

/** @throws CoeditError OPTION_INVALID for a URL that is none */
export function engineOf(
  { data, database, databaseDirect = '', hints = '' }: Place,
  { serves, ...options }: EngineOptions,
): Storage {
  if (database === '') return new LevelStorage({ directory: data, ...options })
  const directUrl = databaseDirect === '' ? database : databaseDirect
  return new PostgresStorage({ url: database, directUrl, hintsUrl: hints, serves, ...options })
}
