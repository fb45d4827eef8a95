import { createDecoder, readVarUint } from 'lib0/decoding'
import type { Dialect } from './dialect.ts'
import { yWebsocketDialect } from './y-websocket-dialect.ts'

const ACKNOWLEDGEMENT = 100

/** That of y-websocket, and a subprotocol whose connections are told how many of their messages are durable. */
export const coeditDialect: Dialect = {
  ...yWebsocketDialect,
  acknowledgingProtocol: 'coedit.v1',
  read: (frame) => {
    const from = createDecoder(frame)
    if (readVarUint(from) !== ACKNOWLEDGEMENT) return yWebsocketDialect.read(frame)
    return { kind: 'acknowledged', messages: readVarUint(from) }
  },
}
