export type { ShownText, TextElement } from './binding/shown-text.ts'
export type { Splice } from './binding/splice.ts'
export { type BindingOptions, bindTextarea, type TextareaBinding } from './binding/textarea.ts'
export { ClientError, type ClientErrorCode } from './common/errors.ts'
export { clearOffline } from './connection/browser-storage.ts'
export {
  type Connection,
  type ConnectOptions,
  connect,
  type Profile,
  type User,
  type WebSocketClass,
} from './connection/connect.ts'
export type { ConnectionState, Denied, ErrorListener, Granted, Progress, StateListener } from './connection/state.ts'
export { announcePeers } from './peers/announcer.ts'
export { type Overlay, showPeers } from './peers/overlay.ts'
export { type Cursor, type Peer, type Presence, watchPresence } from './peers/presence.ts'
