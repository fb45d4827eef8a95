export type { Authenticate, AuthRequest, Grant, Verdict } from './auth/grant.ts'
export type { Revocation } from './auth/revocations.ts'
export type { Cancel, Clock } from './clock.ts'
export type { ServerOptions } from './config.ts'
export { CoeditError, type ErrorCode } from './errors.ts'
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
export type { Log } from './log.ts'
export { type CoeditServer, createServer, type ServerParts, type ServerStats } from './server.ts'
