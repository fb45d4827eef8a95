import { createDecoder, type Decoder, readVarUint, readVarUint8Array } from 'lib0/decoding'
import { type Encoder, encode, writeVarUint, writeVarUint8Array } from 'lib0/encoding'
import type { Dialect, Received } from './dialect.ts'

const EMPTY_STATE_VECTOR = Uint8Array.of(0)
const EMPTY_UPDATE = Uint8Array.of(0, 0)
const SYNC = 0
const AWARENESS = 1
const STEP1 = 0
const STEP2 = 1
const UPDATE = 2

/** The document is the path of the address, and a frame is a message of y-protocols. */
export const yWebsocketDialect: Dialect = {
  address: (base, document) => `${base}/${encodeURIComponent(document)}`,
  opening: () => [encode((to) => writeStep1(to))],
  emptyAnswer: () => encode((to) => writeEmptyStep2(to)),
  update: (_, update) => encode((to) => writeUpdate(to, update)),
  awareness: (_, update) => encode((to) => writeAwareness(to, update)),
  read: (frame) => readMessage(createDecoder(frame)),
}

export function writeStep1(to: Encoder): void {
  writeVarUint(to, SYNC)
  writeVarUint(to, STEP1)
  writeVarUint8Array(to, EMPTY_STATE_VECTOR)
}

export function writeEmptyStep2(to: Encoder): void {
  writeVarUint(to, SYNC)
  writeVarUint(to, STEP2)
  writeVarUint8Array(to, EMPTY_UPDATE)
}

export function writeUpdate(to: Encoder, update: Uint8Array): void {
  writeVarUint(to, SYNC)
  writeVarUint(to, UPDATE)
  writeVarUint8Array(to, update)
}

export function writeAwareness(to: Encoder, update: Uint8Array): void {
  writeVarUint(to, AWARENESS)
  writeVarUint8Array(to, update)
}

function readMessage(from: Decoder): Received {
  const type = readVarUint(from)
  if (type === SYNC) return readSync(from)
  if (type === AWARENESS) return { kind: 'awareness', payload: readVarUint8Array(from) }
  return { kind: 'ignored' }
}

/** Reads what follows the message type of a sync message. */
export function readSync(from: Decoder): Received {
  const step = readVarUint(from)
  if (step === STEP1) return { kind: 'step1' }
  if (step === STEP2) return { kind: 'step2', payload: readVarUint8Array(from) }
  if (step === UPDATE) return { kind: 'update', payload: readVarUint8Array(from) }
  throw new Error(`A sync message of the unknown kind ${step} arrived.`)
}
