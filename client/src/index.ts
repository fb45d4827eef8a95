export { announcePeers } from './announcer.ts'
export { clearOffline } from './browser-storage.ts'
export {
  type Connection,
  type ConnectOptions,
  connect,
  type Profile,
  type User,
  type WebSocketClass,
} from './connect.ts'
export { ClientError, type ClientErrorCode } from './errors.ts'
export { type Overlay, showPeers } from './overlay.ts'
export { type Cursor, type Peer, type Presence, watchPresence } from './presence.ts'
export type { ShownText, TextElement } from './shown-text.ts'
export type { Splice } from './splice.ts'
export type { ConnectionState, Denied, ErrorListener, Granted, Progress, StateListener } from './state.ts'
export { type BindingOptions, bindTextarea, type TextareaBinding } from './textarea.ts'
