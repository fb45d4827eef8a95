import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { CoeditError } from '../../server/src/common/errors.ts'
import { encodeNews, KnownState, scanUpdate, takeNews } from '../../server/src/protocol/update/update.ts'
import { byte, bytes } from '../support/bytes.ts'
import { declareTypes, Editor, isPending } from '../support/editing.ts'
import { nestedAny, ROOT } from '../support/handmade-updates.ts'
import { Random } from '../support/random.ts'
import { runs } from '../support/runs.ts'

const MANY = 2 ** 53 - 1
const NOT_UTF8 = bytes(2, Uint8Array.of(0xc3, 0x28))
const LONE_SURROGATE = bytes(3, Uint8Array.of(0xed, 0xa0, 0x80))

/** An update of one section. The structs' bytes follow the number of structs, client 7 and clock 10. */
function update(structs: number, ...parts: readonly (number | string | Uint8Array)[]): Uint8Array {
  return bytes(1, structs, 7, 10, ...parts, 0)
}

/** An update of one struct with the content that belongs to `kind`. */
function item(kind: number, ...content: readonly (number | string | Uint8Array)[]): Uint8Array {
  return update(1, kind, ROOT, ...content)
}

function refusal(update: Uint8Array): CoeditError {
  try {
    scanUpdate(update)
  } catch (error) {
    if (error instanceof CoeditError) return error
    throw error
  }
  throw new Error('accepted')
}

describe('refuses', () => {
  test.each<[string, Uint8Array, RegExp]>([
    ['nothing at all', bytes(), /ends too early/],
    ['bytes after the end', bytes(0, 0, 0), /1 bytes follow/],
    ['an integer that does not end', new Uint8Array(400).fill(0x80), /does not end/],
    ['an integer of 2^53', bytes(Uint8Array.of(0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10)), /exceeds 2\^53/],
    ['more clients than bytes', bytes(MANY), /clients, more than/],
    ['more structs than bytes', bytes(1, MANY, 7, 0, 0, 1, 0), /structs, more than/],
    ['more JSON values than bytes', item(2, MANY, '1'), /elements, more than/],
    ['more values than bytes', item(8, MANY, 126), /elements, more than/],
    ['more array elements than bytes', item(8, 1, 117, MANY), /array elements, more than/],
    ['more object members than bytes', item(8, 1, 118, MANY), /object members, more than/],
    ['a longer string than bytes', item(4, MANY, byte(65)), /bytes, more than/],
    ['a longer binary than bytes', item(3, 100), /bytes, more than/],
    ['more clients with deletions than bytes', bytes(0, MANY), /clients with deletions, more than/],
    ['more deleted ranges than bytes', bytes(0, 1, 7, MANY), /deleted ranges, more than/],
    ['a float cut short', bytes(1, 1, 7, 10, 8, ROOT, 1, 123, 0), /ends too early/],
    ['clocks beyond 2^32', update(1, 0, 2 ** 32), /exceeds clock 2\^32/],
    ['a length of 2^50', update(1, 0, 2 ** 50), /exceeds clock 2\^32/],
    ['clocks whose sum is beyond 2^32', update(2, 0, 2 ** 31, 0, 2 ** 31), /exceeds clock 2\^32/],
    ['deletions beyond 2^32', bytes(0, 1, 7, 1, 2 ** 32 - 1, 2), /deleted range exceeds/],
    ['collected structs of length 0', update(1, 0, 0), /length 0/],
    ['a million collected structs of length 0', update(1e6, new Uint8Array(2e6)), /length 0/],
    ['a Skip of length 0', update(1, 10, 0), /length 0/],
    ['deleted content of length 0', item(1, 0), /length 0/],
    ['no JSON values', item(2, 0), /length 0/],
    ['an empty string', item(4, ''), /length 0/],
    ['no values', item(8, 0), /length 0/],
    ['an unknown kind of struct', item(11), /unknown struct kind 11/],
    ['the last kind that fits', item(31), /unknown struct kind 31/],
    ['an unknown shared type', item(7, 7), /unknown shared type 7/],
    ['a collected struct with flags', update(1, byte(0x20), 1), /has flags/],
    ['a Skip with flags', update(1, byte(0x8a), 1), /has flags/],
    ['parent info other than id or name', update(1, 4, 2, 't', 'text'), /parent info 2/],
    ['a text that is not UTF-8', item(4, NOT_UTF8), /not valid UTF-8/],
    ['a text with an encoded surrogate', item(4, LONE_SURROGATE), /not valid UTF-8/],
    ['a root name that is not UTF-8', update(1, 4, 1, NOT_UTF8, 'text'), /not valid UTF-8/],
    ['a map key that is not UTF-8', update(1, 0x24, 1, 't', NOT_UTF8, 'text'), /not valid UTF-8/],
    ['a format name that is not UTF-8', item(6, NOT_UTF8, 'true'), /not valid UTF-8/],
    ['an element name that is not UTF-8', item(7, 3, NOT_UTF8), /not valid UTF-8/],
    ['a hook name that is not UTF-8', item(7, 5, NOT_UTF8), /not valid UTF-8/],
    ['a string value that is not UTF-8', item(8, 1, 119, NOT_UTF8), /not valid UTF-8/],
    ['an object key that is not UTF-8', item(8, 1, 118, 1, NOT_UTF8, 126), /not valid UTF-8/],
    ['a document id that is not UTF-8', item(9, NOT_UTF8, 118, 0), /not valid UTF-8/],
    ['an embed that is not UTF-8', item(5, NOT_UTF8), /not valid UTF-8/],
    ['an embed that is not JSON', item(5, '{'), /not JSON/],
    ['an undefined embed', item(5, 'undefined'), /not JSON/],
    ['a format that is not JSON', item(6, 'bold', 'yes'), /not JSON/],
    ['a JSON value that is not JSON', item(2, 2, '1', '01'), /not JSON/],
    ['JSON nested 8,193 deep', item(5, '['.repeat(8193) + ']'.repeat(8193)), /deeper than 8192/],
    ['JSON nested 100,000 deep', item(5, '['.repeat(1e5) + ']'.repeat(1e5)), /deeper than 8192/],
    ['JSON nested 1,001 deep that ends early', item(5, '['.repeat(1001) + ']'.repeat(1000)), /not JSON/],
    ['values nested 8,193 deep', item(8, 1, nestedAny(8193)), /deeper than 8192/],
    ['values nested 100,000 deep', item(8, 1, nestedAny(1e5)), /deeper than 8192/],
    ['values nested 1,001 deep, and a byte more', bytes(item(8, 1, nestedAny(1001)), 0), /follow its end/],
    ['a value type below the known', item(8, 1, 115), /unknown value type 115/],
    ['a value type above the known', item(8, 1, byte(128)), /unknown value type 128/],
    ['a subdocument without options', item(9, 'guid', 126), /not an object/],
    ['clients ascending', bytes(2, 1, 7, 0, 0, 1, 1, 8, 0, 0, 1, 0), /expected descending/],
    ['a client twice', bytes(2, 1, 7, 0, 0, 1, 1, 7, 1, 0, 1, 0), /expected descending/],
    ['a client without structs', bytes(2, 1, 7, 0, 0, 1, 0, 6, 0, 0, 0), /without structs/],
    ['an origin that is the struct itself', update(1, byte(0x84), 7, 10, 'text'), /origin .* is not before it/],
    ['a later origin', update(1, byte(0x84), 7, 11, 'text'), /origin .* is not before it/],
    ['a right origin that is the struct itself', update(1, 0x44, 7, 10, 'text'), /right origin .* is not before/],
    ['a parent that is the struct itself', update(1, 4, 0, 7, 10, 'text'), /parent .* is not before it/],
    ['an id in the middle of the struct', update(1, byte(0x84), 7, 12, 'text'), /origin .* is not before it/],
  ])('%s', (_, update, reason) => {
    expect(refusal(update)).toMatchObject({ code: 'UPDATE_MALFORMED', message: expect.stringMatching(reason) })
  })

  test('updates in the second encoding of Yjs', () => {
    const doc = new Y.Doc()
    const editor = new Editor(doc, new Random(1))
    expect(refusal(Y.encodeStateAsUpdateV2(doc)).code).toBe('UPDATE_MALFORMED')
    for (let i = 0; i < 100; i++) {
      editor.edit()
      expect(refusal(Y.encodeStateAsUpdateV2(doc)).code).toBe('UPDATE_MALFORMED')
    }
  })

  test('a message that names the byte', () => {
    expect(refusal(item(4, NOT_UTF8)).message).toContain('at byte 9:')
  })
})

describe('accepts', () => {
  test.each<[string, Uint8Array]>([
    ['nothing new', bytes(0, 0)],
    ['a client id of 53 bits', bytes(1, 1, MANY, 0, 0, 1, 0)],
    ['clocks up to 2^32', update(1, 0, 2 ** 32 - 10)],
    ['a Skip', update(3, 0, 1, 10, 5, 0, 1)],
    ['an undefined JSON value', item(2, 2, 'undefined', '{"a":[1,"\\ud800"]}')],
    ['JSON nested 1,000 deep', item(5, '['.repeat(1000) + ']'.repeat(1000))],
    ['JSON with 100,000 lists beside each other', item(5, `[${'[],{"a":{}},'.repeat(50_000)}0]`)],
    ['values nested 1,000 deep', item(8, 1, nestedAny(1000))],
    [
      'every value type',
      item(
        8,
        12,
        byte(127),
        126,
        125,
        byte(0x41),
        124,
        new Uint8Array(4),
        123,
        new Uint8Array(8),
        122,
        new Uint8Array(8),
        121,
        120,
        119,
        'é',
        118,
        1,
        'k',
        126,
        117,
        1,
        126,
        116,
        2,
        new Uint8Array(2),
      ),
    ],
    ['an id of the own client right before', update(1, byte(0x84), 7, 9, 'text')],
    [
      'unsorted, repeated, overlapping and empty deletions, as older clients write them',
      bytes(0, 3, 1, 2, 5, 5, 0, 9, 9, 1, 0, 1, 1, 2, 3, 0, 7, 1),
    ],
    ['a client without deletions', bytes(0, 1, 7, 0)],
  ])('%s', (_, update) => {
    expect(() => scanUpdate(update)).not.toThrow()
  })
})

/** A document with everything in it, its whole update, and one that lacks its first half. */
function sampleUpdates(seed: number): { full: Uint8Array; base: Uint8Array; rest: Uint8Array } {
  const random = new Random(seed)
  const doc = new Y.Doc({ gc: random.chance(0.7) })
  doc.clientID = 1 + random.below(1000)
  const other = new Y.Doc()
  other.clientID = 1001 + random.below(1000)
  const editors = [new Editor(doc, random), new Editor(other, random)]
  const edit = (count: number) => {
    for (let i = 0; i < count; i++) {
      random.pick(editors).edit()
      if (random.chance(0.3)) Y.applyUpdate(other, Y.encodeStateAsUpdate(doc))
      if (random.chance(0.3)) Y.applyUpdate(doc, Y.encodeStateAsUpdate(other))
    }
    Y.applyUpdate(doc, Y.encodeStateAsUpdate(other))
  }
  edit(4)
  const base = Y.encodeStateAsUpdate(doc)
  edit(4)
  const full = Y.encodeStateAsUpdate(doc)
  return { full, base, rest: Y.encodeStateAsUpdate(doc, Y.encodeStateVectorFromUpdate(base)) }
}

const seeds = fc.integer({ min: 0, max: 2 ** 31 })

describe('whatever the bytes', () => {
  test('honest updates pass, and every shorter beginning of them is refused', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const { full, rest } = sampleUpdates(seed)
        for (const update of [full, rest]) {
          scanUpdate(update)
          for (let end = 0; end < update.length; end++) {
            expect(refusal(update.subarray(0, end)).code).toBe('UPDATE_MALFORMED')
          }
        }
      }),
      { numRuns: runs(20) },
    )
  })

  test('what is taken of a mutated update, any client can apply', () => {
    let accepted = 0
    fc.assert(
      fc.property(seeds, (seed) => {
        const random = new Random(seed)
        const { base, rest } = sampleUpdates(seed)
        for (let i = 0; i < 60; i++) {
          const mutated = mutate(random.chance(0.2) ? base : rest, random)
          if (!isAccepted(mutated)) continue
          accepted++
          const known = new KnownState()
          known.absorb(scanUpdate(base))
          const { news } = takeNews(scanUpdate(mutated), known)
          const doc = declareTypes(new Y.Doc({ gc: false }))
          Y.applyUpdate(doc, base)
          if (news !== null) Y.applyUpdate(doc, encodeNews([news]))
          expect(isPending(doc)).toBe(false)
          expect(Y.decodeStateVector(known.encodeStateVector())).toEqual(Y.decodeStateVector(Y.encodeStateVector(doc)))
        }
      }),
      { numRuns: runs(50) },
    )
    expect(accepted).toBeGreaterThan(100)
  })
})

function mutate(update: Uint8Array, random: Random): Uint8Array {
  const mutated = update.slice()
  for (let changes = 1 + random.below(3); changes > 0; changes--) {
    const at = random.below(mutated.length)
    mutated[at] = random.pick([
      random.below(256),
      mutated[at] + 1,
      mutated[at] - 1,
      mutated[at] ^ (1 << random.below(8)),
    ])
  }
  return mutated
}

/** @throws what is not a refusal */
function isAccepted(update: Uint8Array): boolean {
  try {
    scanUpdate(update)
    return true
  } catch (error) {
    if (error instanceof CoeditError && error.code === 'UPDATE_MALFORMED') return false
    throw error
  }
}
