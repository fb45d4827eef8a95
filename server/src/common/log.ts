import { pino } from 'pino'

/** From the least to the most that is written. */
export const LOG_LEVELS = ['silent', 'error', 'warn', 'info', 'debug'] as const

export type LogLevel = (typeof LOG_LEVELS)[number]

/** What the server needs of a logger. Facts that hold a token, a cookie or a query string must not be passed in. */
export interface Log {
  error(facts: object, message: string): void
  warn(facts: object, message: string): void
  info(facts: object, message: string): void
  debug(facts: object, message: string): void
}

/** Says nothing. */
export const silentLog: Log = { error: ignore, warn: ignore, info: ignore, debug: ignore }

/** Past this much unread output lines are dropped: whoever reads the log too slowly must not cost memory. */
const MAX_BUFFERED_BYTES = 4 * 1024 * 1024

/**
 * A log that writes one JSON object a line to stderr; an error goes under the key `err`. Writing is asynchronous, since
 * a full pipe would otherwise stop the event loop; what is buffered is flushed when the process exits.
 */
export function createLog(level: LogLevel): Log {
  const destination = pino.destination({ dest: process.stderr.fd, sync: false, maxLength: MAX_BUFFERED_BYTES })
  return pino({ level, base: null }, destination)
}

function ignore(): void {}
