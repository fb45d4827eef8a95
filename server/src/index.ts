import * as Y from 'yjs'
import { type CreateServer, serversWith } from './server.ts'

export type { Authenticate, AuthRequest, Grant, Verdict } from './auth/grant.ts'
export type { Revocation } from './auth/revocations.ts'
export { CoeditError, type ErrorCode } from './common/errors.ts'
export type { Log } from './common/log.ts'
export type { Cancel, Clock } from './common/timing.ts'
export type { ServerOptions } from './config/config.ts'
export type {
  Change,
  CloseEvent,
  ConnectionFacts,
  HookCounts,
  HookName,
  Hooks,
  LoadEvent,
  Seed,
} from './hooks/hooks.ts'
export type { CoeditServer, ServerHistory, ServerParts, ServerStats } from './server.ts'
/** The copy of Yjs that documents in code are made of: types that go into them have to be made by it, too. */
export { Y }

/**
 * A coedit server: alone with `listen`, or inside of another HTTP server with `open`, `handleUpgrade` and
 * `handleRequest`. Nothing is touched before `listen` or `open`. What it promises keeps the process alive until it is done.
 *
 * @throws CoeditError OPTION_INVALID, HOST_NEEDS_AUTH
 */
export const createServer: CreateServer = serversWith(Y)
