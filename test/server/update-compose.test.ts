import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { CoeditError } from '../../server/src/common/errors.ts'
import {
  coversState,
  decodeStateVector,
  diffUpdate,
  KnownState,
  mergeEntries,
  scanUpdate,
  splitUpdate,
} from '../../server/src/protocol/update/update.ts'
import { byte, bytes } from '../support/bytes.ts'
import { contentOf, docOf, Editor, isPending } from '../support/editing.ts'
import { Random } from '../support/random.ts'
import { runs } from '../support/runs.ts'

const seeds = fc.integer({ min: 0, max: 2 ** 31 })
const EMPTY = bytes(0, 0)

/** A document that three clients edited, and a state that it had on the way. */
function editedDoc(seed: number): { doc: Y.Doc; early: Uint8Array } {
  const random = new Random(seed)
  const doc = docOf()
  const editors = [doc, docOf(), docOf()].map((doc) => new Editor(doc, random))
  let early = Y.encodeStateVector(doc)
  for (let i = 0; i < 30; i++) {
    random.pick(editors).edit()
    if (random.chance(0.3)) Y.applyUpdate(random.pick(editors).doc, Y.encodeStateAsUpdate(random.pick(editors).doc))
    if (random.chance(0.1)) early = Y.encodeStateVector(doc)
  }
  for (const { doc: other } of editors) Y.applyUpdate(doc, Y.encodeStateAsUpdate(other))
  return { doc, early }
}

/** The document of the pieces, none of which may need a later one. */
function expectComplete(pieces: readonly Uint8Array[]): Y.Doc {
  const doc = docOf()
  for (const piece of pieces) {
    Y.applyUpdate(doc, piece)
    expect(isPending(doc)).toBe(false)
  }
  return doc
}

describe('mergeEntries', () => {
  test('of nothing is an empty update', () => {
    expect(mergeEntries([])).toEqual(EMPTY)
  })

  test('copies structs in order and unites deletions', () => {
    const entries = [
      bytes(1, 1, 7, 0, 0, 3, 1, 7, 1, 0, 1),
      bytes(2, 1, 8, 0, 0, 1, 2, 7, 3, 0, 2, 0, 1, 1, 7, 1, 1, 4),
    ]
    expect(mergeEntries(entries)).toEqual(bytes(2, 1, 8, 0, 0, 1, 3, 7, 0, 0, 3, 0, 2, 0, 1, 1, 7, 1, 0, 5))
  })

  test.each([
    ['a hole', bytes(1, 1, 7, 4, 0, 1, 0)],
    ['what is there already', bytes(1, 1, 7, 2, 0, 1, 0)],
  ])('throws rather than join entries with %s between them', (_, second) => {
    expect(() => mergeEntries([bytes(1, 1, 7, 0, 0, 3, 0), second])).toThrow('cannot follow')
  })
})

describe('diffUpdate', () => {
  test('is what Yjs sends to the same state vector', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const { doc, early } = editedDoc(seed)
        const whole = Y.encodeStateAsUpdate(doc)
        for (const stateVector of [early, bytes(0), Y.encodeStateVector(doc)]) {
          const expected = Y.encodeStateAsUpdate(doc, stateVector)
          expect(diffUpdate(whole, decodeStateVector(stateVector)) ?? EMPTY).toEqual(expected)
        }
      }),
      { numRuns: runs(50) },
    )
  })

  test('cuts a struct that the client has a part of', () => {
    const update = bytes(1, 2, 7, 3, byte(0x84), 7, 2, 'abc', 0, 2, 0)
    expect(diffUpdate(update, new Map([[7, 5]]))).toEqual(bytes(1, 2, 7, 5, byte(0x84), 7, 4, 'c', 0, 2, 0))
    expect(diffUpdate(update, new Map([[7, 8]]))).toBeNull()
  })
})

describe('splitUpdate', () => {
  test('leaves alone what is small enough', () => {
    const update = Y.encodeStateAsUpdate(editedDoc(1).doc)
    expect(splitUpdate(update, update.length)).toEqual([update])
  })

  test('makes small pieces of plain texts, maps and arrays', () => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 200, max: 600 }), (seed, maxBytes) => {
        const random = new Random(seed)
        const docs = [docOf(), docOf(), docOf()]
        for (let i = 0; i < 60; i++) {
          const doc = random.pick(docs)
          const text = doc.getText('text')
          text.insert(random.below(text.length + 1), random.pick(['word', 'é漢字', 'line\n']))
          if (random.chance(0.2)) text.delete(random.below(text.length), 1)
          doc.getMap('map').set(random.pick(['a', 'b']), random.below(1000))
          if (random.chance(0.2)) Y.applyUpdate(random.pick(docs), Y.encodeStateAsUpdate(doc))
        }
        for (const doc of docs) Y.applyUpdate(docs[0], Y.encodeStateAsUpdate(doc))
        const pieces = splitUpdate(Y.encodeStateAsUpdate(docs[0]), maxBytes)
        expect(pieces.length).toBeGreaterThan(1)
        for (const piece of pieces) expect(piece.length).toBeLessThanOrEqual(maxBytes)
        expect(contentOf(expectComplete(pieces))).toEqual(contentOf(docs[0]))
      }),
      { numRuns: runs(30) },
    )
  })

  test('cuts long texts between characters, and long arrays between values', () => {
    const doc = docOf()
    const insert = '😀é漢x'.repeat(500)
    doc.getText('text').insert(0, insert)
    doc.getArray('array').insert(
      0,
      Array.from({ length: 500 }, (_, i) => (i % 2 ? `value ${i}` : { i })),
    )
    const pieces = splitUpdate(Y.encodeStateAsUpdate(doc), 300)
    for (const piece of pieces) expect(piece.length).toBeLessThanOrEqual(300)
    const result = expectComplete(pieces)
    expect(result.getText('text').toString()).toBe(insert)
    expect(contentOf(result)).toEqual(contentOf(doc))
  })

  test('cuts JSON of old versions', () => {
    const values = Array.from({ length: 100 }, (_, i) => (i % 2 ? 'undefined' : JSON.stringify({ i })))
    const pieces = splitUpdate(bytes(1, 1, 7, 0, 2, 1, 'array', values.length, ...values, 0), 100)
    expect(pieces.length).toBeGreaterThan(10)
    expect(expectComplete(pieces).getArray('array').toArray()).toEqual(
      values.map((value) => (value === 'undefined' ? undefined : JSON.parse(value))),
    )
  })

  test('gives what cannot be cut a piece of its own', () => {
    const doc = docOf()
    const array = doc.getArray('array')
    array.insert(0, ['before'])
    array.insert(1, [new Uint8Array(1000)])
    array.insert(2, ['after', 'x'.repeat(1000)])
    const pieces = splitUpdate(Y.encodeStateAsUpdate(doc), 200)
    expect(pieces.filter((piece) => piece.length > 200).map((piece) => scanUpdate(piece).sections[0].count)).toEqual([
      1, 1,
    ])
    expect(contentOf(expectComplete(pieces))).toEqual(contentOf(doc))
  })

  test('splits deletions by themselves', () => {
    const ranges = Array.from({ length: 1000 }, (_, i) => [i * 2, 1]).flat()
    const update = bytes(0, 3, 9, 1000, ...ranges, 8, 1, 0, 1, 7, 1000, ...ranges)
    const pieces = splitUpdate(update, 200)
    for (const piece of pieces) expect(piece.length).toBeLessThanOrEqual(200)
    const state = new KnownState()
    for (const piece of pieces) state.absorb(scanUpdate(piece))
    expect(bytes(0, state.encodeDeleteSet())).toEqual(update)
  })

  test('puts what waits in a circle last', () => {
    const update = bytes(
      3,
      ...[1, 8, 0, byte(0x84), 7, 0, 'x'],
      ...[1, 7, 0, byte(0x84), 8, 0, 'x'],
      ...[1, 5, 0, 4, 1, 't', 'word'.repeat(40)],
      0,
    )
    const pieces = splitUpdate(update, 100)
    expect(scanUpdate(pieces[pieces.length - 1]).sections.map(({ client }) => client)).toEqual([8, 7])
    expectComplete(pieces.slice(0, -1))
    expect(pieces.length).toBeGreaterThan(2)
  })

  /** Of two marks the second is deleted. Without its deletion the first looks overwritten, and a client deletes it. */
  test('keeps formatting and deletions together, so that no client repairs what is only incomplete', () => {
    const bold = bytes('bold', 'true')
    const marks = bytes(6, 1, 'text', bold, byte(0x86), 1, 0, bold)
    const update = bytes(1, 3, 1, 0, marks, byte(0x84), 1, 1, 'bold text', 1, 1, 1, 1, 1)
    const plain = bytes(1, 9, 0, 4, 1, 'other', 'plain '.repeat(50))
    const pieces = splitUpdate(bytes(2, plain, update.subarray(1)), 200)
    expect(pieces.length).toBeGreaterThan(1)

    const reader = docOf()
    const repairs: unknown[] = []
    reader.on('update', (_: Uint8Array, origin: unknown) => {
      if (origin !== 'server') repairs.push(origin)
    })
    for (const piece of pieces) Y.applyUpdate(reader, piece, 'server')
    expect(repairs).toEqual([])
    expect(reader.getText('text').toDelta()).toEqual([{ insert: 'bold text', attributes: { bold: true } }])
  })

  test('keeps XML together, so that no editor removes elements whose children are still to come', () => {
    const doc = docOf()
    doc.getText('text').insert(0, 'plain '.repeat(200))
    const list = new Y.XmlElement('list')
    doc.getXmlFragment('xml').insert(0, [list])
    for (let i = 0; i < 50; i++) list.insert(i, [new Y.XmlElement('item')])
    const pieces = splitUpdate(Y.encodeStateAsUpdate(doc), 300)
    const withXml = pieces.filter((_, i) => docOf(...pieces.slice(0, i + 1)).getXmlFragment('xml').length > 0)
    expect(pieces.length).toBeGreaterThan(3)
    expect(withXml.length).toBe(1)
    expect(contentOf(expectComplete(pieces))).toEqual(contentOf(doc))
  })

  test('refuses what is malformed', () => {
    expect(() => splitUpdate(bytes(0), 100)).toThrow(CoeditError)
  })
})

describe('state vectors', () => {
  test('of clients are read as Yjs writes them', () => {
    const { doc } = editedDoc(3)
    const stateVector = Y.encodeStateVector(doc)
    expect(decodeStateVector(stateVector)).toEqual(Y.decodeStateVector(stateVector))
  })

  test.each([
    ['nothing', bytes()],
    ['a count beyond the bytes', bytes(2 ** 40)],
    ['bytes after the end', bytes(0, 0)],
    ['a clock beyond 2^32', bytes(1, 7, 2 ** 32 + 1)],
    ['one cut short', bytes(1, 7)],
    ['more than a million clients', bytes(1_000_001, new Uint8Array(2_000_002))],
  ])('refuses %s', (_, stateVector) => {
    expect(() => decodeStateVector(stateVector)).toThrow(expect.objectContaining({ code: 'MESSAGE_MALFORMED' }))
  })

  test('cover each other client by client', () => {
    const known = new Map([
      [1, 5],
      [2, 1],
    ])
    expect(
      coversState(
        new Map([
          [1, 5],
          [2, 2],
          [3, 1],
        ]),
        known,
      ),
    ).toBe(true)
    expect(coversState(new Map([[1, 5]]), known)).toBe(false)
    expect(
      coversState(
        new Map([
          [1, 4],
          [2, 9],
        ]),
        known,
      ),
    ).toBe(false)
    expect(coversState(new Map(), new Map())).toBe(true)
  })
})
