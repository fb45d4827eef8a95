import { Socket } from 'node:net'
import type { ClientConfig } from 'pg'
import { CoeditError } from '../../common/errors.ts'

/** Scheme, user and password; hosts; database and parameters. */
const URL_PARTS = /^(postgres(?:ql)?:\/\/(?:[^@/?]*@)?)([^/?]*)(.*)$/s

/** Milliseconds that a host may take to answer until the next one is tried. */
const CONNECT_TIMEOUT_MS = 5_000
/** Silence after which the system asks whether the other end is still there, in milliseconds. */
const KEEP_ALIVE_MS = 10_000

/** One host to connect to, as `pg` takes it. */
export interface Target {
  /** Host and port as the URL has them; empty where the environment (PGHOST) decides. */
  readonly host: string
  readonly config: ClientConfig
}

/**
 * The hosts of a URL, in its order: `postgres://user:password@one:5432,two:5433/name?sslmode=verify-full`. Whatever it
 * leaves out `pg` takes from PGHOST, PGUSER and so on.
 *
 * @param role what the connections are for, as the database shows it (`application_name`)
 * @throws CoeditError OPTION_INVALID
 */
export function targetsOf(url: string, role: string): readonly Target[] {
  const [, before = '', hosts = '', after = ''] = URL_PARTS.exec(url) ?? []
  if (before === '') throw invalidUrl()
  return hosts.split(',').map((host) => ({
    host,
    config: {
      connectionString: before + host + after,
      fallback_application_name: `coedit ${role}`,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      keepAlive: true,
      keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    },
  }))
}

/** The configuration for one connection, and the socket that it will use. */
export function withSocket({ config }: Target): { config: ClientConfig; socket: Socket } {
  const socket = new Socket()
  return { config: { ...config, stream: () => socket }, socket }
}

/** The message does not show the URL, which may hold a password. */
export function invalidUrl(cause?: unknown): CoeditError {
  const message = 'the URL of the database is invalid: expected postgres://user:password@host:5432/name'
  return new CoeditError('OPTION_INVALID', message, { cause })
}
