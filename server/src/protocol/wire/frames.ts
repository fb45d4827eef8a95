import { MESSAGE, REFUSAL, type Refusal, SYNC } from './messages.ts'
import { ByteWriter, varUintBytes } from './writer.ts'

/**
 * What the server sends, as complete WebSocket frames: header and message in one buffer, made once and written to every
 * socket that gets it. `ws` frames each message per socket; for a fan-out that is the larger part of the cost.
 */

const FIN_BINARY = 0x82
/** RFC 6455 §5.2: the longest frame header of a server, which never masks. */
const MAX_HEADER_BYTES = 10

/** The only kind of auth message in y-protocols. */
const PERMISSION_DENIED = 0

export function updateFrame(update: Uint8Array): Buffer {
  return syncFrame(SYNC.update, update)
}

/** What comes before an update of so many bytes: both together are a frame. */
export function updateHead(byteLength: number): Buffer {
  const message = [Uint8Array.of(MESSAGE.sync, SYNC.update), varUint(byteLength)]
  return binaryFrame(message, byteLength)
}

export function step1Frame(stateVector: Uint8Array): Buffer {
  return syncFrame(SYNC.step1, stateVector)
}

/** Ends the answer to a Step1: the content went before as Updates, so `sync` fires on a client that has everything. */
export const EMPTY_STEP2_FRAME: Buffer = syncFrame(SYNC.step2, Uint8Array.of(0, 0))

/** An empty awareness message. Stock clients drop a socket that brings no data frame for 30 s, and pings do not count. */
export const KEEP_ALIVE_FRAME: Buffer = presenceFrame(Uint8Array.of(0))

export function presenceFrame(awarenessUpdate: Uint8Array): Buffer {
  return binaryFrame([Uint8Array.of(MESSAGE.awareness), varUint(awarenessUpdate.length), awarenessUpdate])
}

/** What comes before the entries of a presence message, which have so many bytes: all of it is a frame. */
export function presenceHead(count: number, byteLength: number): Buffer {
  const bodyBytes = varUintBytes(count) + byteLength
  return binaryFrame([Uint8Array.of(MESSAGE.awareness), varUint(bodyBytes), varUint(count)], byteLength)
}

/** Says that of the Step2 and Update messages received on this socket the first `count` are durable. */
export function acknowledgementFrame(count: number): Buffer {
  return binaryFrame([varUint(MESSAGE.acknowledgement), varUint(count)])
}

/** Tells a client of `coedit.v1` which of several servers it is connected to. */
export function nodeFrame(name: string): Buffer {
  const text = new TextEncoder().encode(name)
  return binaryFrame([varUint(MESSAGE.node), varUint(text.length), text])
}

/** Tell a client of `coedit.v1` what is refused. */
export const REFUSAL_FRAMES: Readonly<Record<Refusal, Buffer>> = {
  full: refusalFrame(REFUSAL.full),
  tooDeep: refusalFrame(REFUSAL.tooDeep),
  presence: refusalFrame(REFUSAL.presence),
}

/** Tells a client that what it wrote was refused. Stock clients log the reason. */
export function permissionDeniedFrame(reason: string): Buffer {
  const text = new TextEncoder().encode(reason)
  return binaryFrame([Uint8Array.of(MESSAGE.auth, PERMISSION_DENIED), varUint(text.length), text])
}

function refusalFrame(kind: number): Buffer {
  return binaryFrame([Uint8Array.of(MESSAGE.refusal, kind)])
}

function syncFrame(type: number, body: Uint8Array): Buffer {
  return binaryFrame([Uint8Array.of(MESSAGE.sync, type), varUint(body.length), body])
}

function varUint(value: number): Uint8Array {
  const writer = new ByteWriter(varUintBytes(value))
  writer.varUint(value)
  return writer.finish()
}

/** @param following how many bytes of the message are not in the buffer, but written after it */
export function binaryFrame(message: readonly Uint8Array[], following = 0): Buffer {
  const bytes = message.reduce((sum, part) => sum + part.length, 0)
  const frame = Buffer.allocUnsafe(headerBytes(bytes + following) + bytes)
  let offset = writeHeader(frame, bytes + following)
  for (const part of message) {
    frame.set(part, offset)
    offset += part.length
  }
  return frame
}

function headerBytes(length: number): number {
  if (length < 126) return 2
  return length < 65_536 ? 4 : MAX_HEADER_BYTES
}

function writeHeader(frame: Buffer, length: number): number {
  frame[0] = FIN_BINARY
  if (length < 126) {
    frame[1] = length
    return 2
  }
  if (length < 65_536) {
    frame[1] = 126
    return frame.writeUInt16BE(length, 2)
  }
  frame[1] = 127
  frame.writeUInt16BE(0, 2)
  return frame.writeUIntBE(length, 4, 6)
}
