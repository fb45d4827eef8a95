import { createDecoder, readVarString, readVarUint, readVarUint8Array } from 'lib0/decoding'
import { type Encoder, encode, writeVarString, writeVarUint } from 'lib0/encoding'
import type { Dialect, Received } from './dialect.ts'
import { readSync, writeAwareness, writeEmptyStep2, writeStep1, writeUpdate } from './y-websocket-dialect.ts'

const SYNC = 0
const AWARENESS = 1
const AUTH = 2
const SYNC_REPLY = 4
const CLOSE = 7
const AUTH_TOKEN = 0
const AUTH_DENIED = 1

/**
 * One address for all documents: the name stands in front of each message, and the first one authenticates. Read from
 * the sources of @hocuspocus/server 4.7.0.
 */
export const hocuspocusDialect: Dialect = {
  address: (base) => `${base}/`,
  opening: (document) => [named(document, (to) => writeToken(to)), named(document, (to) => writeStep1(to))],
  emptyAnswer: (document) => named(document, (to) => writeEmptyStep2(to)),
  update: (document, update) => named(document, (to) => writeUpdate(to, update)),
  awareness: (document, update) => named(document, (to) => writeAwareness(to, update)),
  read: readMessage,
}

function named(document: string, write: (to: Encoder) => void): Uint8Array {
  return encode((to) => {
    writeVarString(to, document)
    write(to)
  })
}

function writeToken(to: Encoder): void {
  writeVarUint(to, AUTH)
  writeVarUint(to, AUTH_TOKEN)
  writeVarString(to, '')
}

function readMessage(frame: Uint8Array): Received {
  const from = createDecoder(frame)
  readVarUint8Array(from) // the name: one document a client, so that it says nothing
  switch (readVarUint(from)) {
    case SYNC:
    case SYNC_REPLY:
      return readSync(from)
    case AWARENESS:
      return { kind: 'awareness', payload: readVarUint8Array(from) }
    case AUTH:
      return readVarUint(from) === AUTH_DENIED ? { kind: 'refused', reason: readVarString(from) } : { kind: 'ignored' }
    case CLOSE:
      return { kind: 'refused', reason: readVarString(from) }
    default:
      return { kind: 'ignored' }
  }
}
