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
export { type CoeditServer, createServer, type ServerParts, type ServerStats } from './server.ts'
