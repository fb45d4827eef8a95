export { type Connection, type ConnectOptions, connect, type User, type WebSocketClass } from './connect.ts'
export { ClientError, type ClientErrorCode } from './errors.ts'
export type { ConnectionState, Denied, Granted, Progress, StateListener } from './state.ts'
export { bindTextarea, type TextareaBinding } from './textarea.ts'
