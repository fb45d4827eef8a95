import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isJson } from '../../server/src/protocol/update/json.ts'
import { utf16Length } from '../../server/src/protocol/update/text.ts'
import { byte, bytes } from '../support/bytes.ts'
import { runs } from '../support/runs.ts'

describe('strings are judged as Yjs reads them', () => {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  const encoder = new TextEncoder()

  function decodedLength(text: Uint8Array): number {
    try {
      return decoder.decode(text).length
    } catch {
      return -1
    }
  }

  function parses(text: string): boolean {
    try {
      JSON.parse(text)
      return true
    } catch {
      return false
    }
  }

  test('UTF-8 as by a fatal TextDecoder, counted in UTF-16 units', () => {
    const critical = fc.constantFrom(
      0x41,
      0x7f,
      0x80,
      0x8f,
      0x90,
      0x9f,
      0xa0,
      0xbf,
      0xc0,
      0xc2,
      0xdf,
      0xe0,
      0xed,
      0xef,
      0xf0,
      0xf4,
      0xf5,
      0xff,
    )
    const text = fc.oneof(
      fc.uint8Array({ maxLength: 8 }),
      fc.array(critical, { maxLength: 6 }).map((values) => Uint8Array.from(values)),
      fc.string({ unit: 'binary' }).map((value) => encoder.encode(value)),
    )
    fc.assert(
      fc.property(text, (text) => {
        const padded = bytes(byte(0x41), text, byte(0x80))
        expect(utf16Length(padded, 1, 1 + text.length)).toBe(decodedLength(text))
      }),
      { numRuns: runs(20_000) },
    )
  })

  test('JSON as by JSON.parse', () => {
    const symbols = [
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"',
      '"a"',
      '\\',
      '\\u12aF',
      '\\n',
      '-',
      '0',
      '7',
      '.',
      'e',
      'E',
      '+',
      'true',
      'false',
      'null',
      ' ',
      '\n',
      '\t',
      '\r',
      '\f',
      '\u0001',
      'é',
    ]
    const text = fc.oneof(
      fc.json(),
      fc.json().map((value) => JSON.stringify(JSON.parse(value), null, 2)),
      fc.array(fc.constantFrom(...symbols), { maxLength: 8 }).map((parts) => parts.join('')),
      fc.tuple(fc.json(), fc.nat(), fc.constantFrom(...symbols)).map(([json, at, symbol]) => {
        const split = at % (json.length + 1)
        return json.slice(0, split) + symbol + json.slice(split)
      }),
    )
    fc.assert(
      fc.property(text, (text) => {
        const encoded = encoder.encode(text)
        expect(isJson(bytes(encoded, encoded), encoded.length, 2 * encoded.length)).toBe(
          parses(decoder.decode(encoded)),
        )
      }),
      { numRuns: runs(20_000) },
    )
  })
})
