import { type Clock, systemClock } from '../common/clock.ts'
import type { Connection, ConnectOptions } from './connection.ts'
import { Session } from './session.ts'

/** What a test may bring itself. */
export interface ConnectParts {
  /** Default: the time of the system. */
  readonly clock?: Clock
}

/**
 * Opens a document on a server and keeps it connected until `destroy`. Throws URL_INVALID, DOCUMENT_INVALID,
 * WEBSOCKET_MISSING or USER_MISSING.
 */
export function connect(options: ConnectOptions, { clock = systemClock }: ConnectParts = {}): Connection {
  const session = new Session(options, clock)
  session.start()
  return session
}
