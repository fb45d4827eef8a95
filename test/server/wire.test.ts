import fc from 'fast-check'
import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import { expect, test } from 'vitest'
import { decodePresence } from '../../server/src/protocol/wire/awareness.ts'
import { decodeMessage } from '../../server/src/protocol/wire/messages.ts'
import { ByteReader } from '../../server/src/protocol/wire/reader.ts'
import { ByteWriter } from '../../server/src/protocol/wire/writer.ts'
import { byte, bytes } from '../support/bytes.ts'
import { runs } from '../support/runs.ts'

const MALFORMED = 'MESSAGE_MALFORMED'

const values = fc.array(
  fc.oneof(
    fc.oneof(fc.nat(300), fc.nat(), fc.maxSafeNat()),
    fc.uint8Array({ maxLength: 200 }),
    fc.string({ unit: 'binary', maxLength: 100 }),
  ),
)
type Values = (number | string | Uint8Array)[]

function written(row: Values): Uint8Array {
  const writer = new ByteWriter(0)
  for (const value of row) {
    if (typeof value === 'number') writer.varUint(value)
    else if (typeof value === 'string') writer.text(value)
    else writer.varBytes(value)
  }
  return writer.finish()
}

function writtenByLib0(row: Values): Uint8Array {
  return encoding.encode((encoder) => {
    for (const value of row) {
      if (typeof value === 'number') encoding.writeVarUint(encoder, value)
      else if (typeof value === 'string') encoding.writeVarString(encoder, value)
      else encoding.writeVarUint8Array(encoder, value)
    }
  })
}

function read(row: Values, reader: ByteReader): Values {
  return row.map((value) => {
    if (typeof value === 'number') return reader.varUint()
    return typeof value === 'string' ? reader.text() : reader.varBytes()
  })
}

function readByLib0(row: Values, decoder: decoding.Decoder): Values {
  return row.map((value) => {
    if (typeof value === 'number') return decoding.readVarUint(decoder)
    return typeof value === 'string' ? decoding.readVarString(decoder) : decoding.readVarUint8Array(decoder)
  })
}

test('what is written is what lib0 writes, and both read it alike', () => {
  fc.assert(
    fc.property(values, (row) => {
      const encoded = written(row)
      expect(encoded).toEqual(writtenByLib0(row))
      const reader = new ByteReader(encoded, 0, MALFORMED)
      expect(read(row, reader)).toEqual(row)
      reader.expectEnd()
      expect(readByLib0(row, decoding.createDecoder(encoded))).toEqual(row)
    }),
    { numRuns: runs(300) },
  )
})

test('bytes that are cut anywhere are refused with the code of the reader', () => {
  fc.assert(
    fc.property(values, fc.nat(), (row, at) => {
      const encoded = written(row)
      fc.pre(encoded.length > 0)
      const cut = new ByteReader(encoded.subarray(0, at % encoded.length), 0, MALFORMED)
      expect(() => read(row, cut)).toThrow(expect.objectContaining({ code: MALFORMED }))
    }),
    { numRuns: runs(300) },
  )
})

test('bytes out of a Buffer are a view that a `slice` copies', () => {
  const message = Buffer.from([2, 7, 8])
  const view = new ByteReader(message, 0, MALFORMED).varBytes()
  expect([view.constructor, view.buffer]).toEqual([Uint8Array, message.buffer])
})

test.each([
  ['nothing', bytes(), 'the message type at byte 0: it ends too early'],
  [
    'a type past 2^53',
    Uint8Array.of(...Array(7).fill(255), 127),
    'the message type at byte 0: an integer exceeds 2^53 - 1',
  ],
  [
    'an endless type',
    new Uint8Array(9).fill(128),
    'the message type at byte 0: an integer does not end within 8 bytes',
  ],
  [
    'an unknown sync type',
    bytes(0, 3),
    'the sync type at byte 2: it is 3, expected 0 (Step1), 1 (Step2) or 2 (Update)',
  ],
  [
    'a long update',
    bytes(0, 2, 9, 1),
    'the update at byte 2: it declares 9 bytes, more than its remaining bytes can hold',
  ],
  ['a token that is no text', bytes(101, 1, byte(255)), 'the token at byte 1: a text is not valid UTF-8'],
  ['bytes after the end', bytes(0, 0, 1, 0, 5), 'the state vector at byte 4: 1 bytes follow its end'],
])('of %s the fault is named, and where it is', (_, message, fault) => {
  expect(() => decodeMessage(message, true)).toThrow(expect.objectContaining({ code: MALFORMED, message: fault }))
})

test.each([
  [
    'entries that cannot be there',
    bytes(2 ** 40),
    'byte 0: it declares 1099511627776 entries, more than its remaining',
  ],
  ['an entry cut short', bytes(1, 4, 1, 7, 1, 9), 'byte 3: it declares 7 bytes, more than its remaining'],
  ['bytes after the last entry', bytes(1, 4, 1, 0, 9), 'byte 4: 1 bytes follow its end'],
])('of presence with %s the fault is named, and where it is', (_, update, fault) => {
  expect(() => decodePresence(update)).toThrow(`the awareness update at ${fault}`)
})
