/** Offered as a WebSocket subprotocol: only then the server sends messages of coedit's own. */
export const SUBPROTOCOL = 'coedit.v1'

/** The message types used here: those of the y-websocket protocol, and coedit's own from 100 on (server/PROTOCOL.md). */
export const MESSAGE = {
  sync: 0,
  awareness: 1,
  auth: 2,
  acknowledgement: 100,
  token: 101,
  refusal: 102,
  node: 103,
} as const
/** Subtypes of a sync message. */
export const SYNC = { step1: 0, step2: 1, update: 2 } as const
/**
 * What the server refuses: edits of a full document, a value that is nested too deep, or a state of presence. Kinds that
 * are not known here are of later servers, and are ignored.
 */
export const REFUSAL = { full: 0, tooDeep: 1, presence: 2 } as const
