export type { ServerOptions } from './config.ts'
export { CoeditError, type ErrorCode } from './errors.ts'
export { type CoeditServer, createServer } from './server.ts'
