import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import {
  encodeNews,
  KnownState,
  mergeEntries,
  type News,
  scanUpdate,
  takeNews,
} from '../../server/src/protocol/update/update.ts'
import { byte, bytes } from '../support/bytes.ts'
import { contentOf, docOf, isPending } from '../support/editing.ts'
import { Random } from '../support/random.ts'
import { runs } from '../support/runs.ts'

type Id = readonly [client: number, clock: number]

const root = (text: string) => bytes(4, 1, 't', text)
const rightOf = (id: Id, text: string) => bytes(byte(0x84), ...id, text)
const leftOf = (id: Id, text: string) => bytes(0x44, ...id, text)
const between = (left: Id, right: Id, text: string) => bytes(byte(0xc4), ...left, ...right, text)

/** An update with structs of one client from a clock on. */
const entry = (client: number, clock: number, ...structs: Uint8Array[]) =>
  bytes(1, structs.length, client, clock, ...structs, 0)

/** The updates of a document while it is edited. */
function recorded(doc: Y.Doc, edit: () => void): Uint8Array[] {
  const updates: Uint8Array[] = []
  const record = (update: Uint8Array) => updates.push(update)
  doc.on('update', record)
  edit()
  doc.off('update', record)
  return updates
}

/** Inserts characters one by one, each after the one before it. */
function type(text: Y.Text, at: number, characters: Iterable<string>): void {
  let position = at
  for (const character of characters) {
    text.insert(position, character)
    position += character.length
  }
}

/** What is new in the updates. */
function newsOf(updates: readonly Uint8Array[], known: KnownState): News[] {
  return updates.map((update) => takeNews(scanUpdate(update), known).news).filter((news) => news !== null)
}

/** One entry of all that is new, as a commit that gathered it writes it. */
function committed(news: readonly News[]): Uint8Array {
  const entry = encodeNews(news)
  expect(entry.length).toBeLessThanOrEqual(news.reduce((sum, { byteLength }) => sum + byteLength, 0))
  return entry
}

describe('text that was typed in a row becomes what Yjs makes of it', () => {
  test.each([
    ['one key at a time', 'hello'],
    ['with characters of all sizes', 'aé漢😀 \ufeff\0'],
    ['so long that its length takes more bytes', 'The quick brown fox. '.repeat(100)],
  ])('%s', (_, characters) => {
    const doc = docOf()
    const updates = recorded(doc, () => type(doc.getText('text'), 0, characters))
    expect(mergeEntries(updates)).toEqual(Y.encodeStateAsUpdate(doc))
    expect(committed(newsOf(updates, new KnownState()))).toEqual(Y.encodeStateAsUpdate(doc))
  })

  test('by two clients at the same time, each in a paragraph of its own', () => {
    const docs = [docOf(), docOf()]
    const log = recorded(docs[0], () => {
      type(docs[0].getText('text'), 0, '\n')
      type(docs[0].getText('text'), 0, '\n')
      Y.applyUpdate(docs[1], Y.encodeStateAsUpdate(docs[0]))
      for (let i = 0; i < 20; i++) {
        docs[0].getText('text').insert(i, 'a')
        const [update] = recorded(docs[1], () => docs[1].getText('text').insert(1 + i, 'b'))
        Y.applyUpdate(docs[0], update)
      }
    })
    expect(docs[0].getText('text').toString()).toBe(`${'a'.repeat(20)}\n${'b'.repeat(20)}\n`)
    expect(mergeEntries(log)).toEqual(Y.encodeStateAsUpdate(docs[0]))
    expect(committed(newsOf(log, new KnownState()))).toEqual(Y.encodeStateAsUpdate(docs[0]))
  })

  test('with what was deleted of it still in place', () => {
    const doc = new Y.Doc({ gc: false })
    const text = doc.getText('text')
    const log = recorded(doc, () => {
      type(text, 0, 'hellp')
      text.delete(4, 1)
      type(text, 4, 'o!')
    })
    const merged = mergeEntries(log)
    expect(merged).toEqual(bytes(1, 1, doc.clientID, 0, 4, 1, 'text', 'hellpo!', 1, doc.clientID, 1, 4, 1))
    expect(committed(newsOf(log, new KnownState()))).toEqual(merged)
    expect(Y.encodeStateAsUpdate(docOf(merged))).toEqual(Y.encodeStateAsUpdate(docOf(...log)))
    expect(docOf(merged).getText('text').toString()).toBe('hello!')
  })

  test('when halves of a surrogate pair were typed one after the other, which no reader can put together', () => {
    const doc = docOf()
    const log = recorded(doc, () => type(doc.getText('text'), 0, ['a', '\ud83d', '\ude00', '😀']))
    const merged = mergeEntries(log)
    expect(merged).toEqual(bytes(1, 1, doc.clientID, 0, 4, 1, 'text', 'a\ufffd\ufffd😀', 0))
    expect(scanUpdate(merged).sections[0].end).toBe(5)
    expect(Y.encodeStateAsUpdate(docOf(merged))).toEqual(Y.encodeStateAsUpdate(docOf(...log)))
  })

  test('although another client has typed into it meanwhile', () => {
    const log = [
      entry(1, 0, root('a')),
      entry(2, 0, rightOf([1, 0], 'X')),
      entry(1, 1, rightOf([1, 0], 'b')),
      entry(1, 2, rightOf([1, 1], 'c')),
    ]
    const merged = mergeEntries(log)
    expect(merged).toEqual(bytes(2, 1, 2, 0, rightOf([1, 0], 'X'), 1, 1, 0, root('abc'), 0))
    expect(docOf(merged).getText('t').toString()).toBe(
      docOf(...log)
        .getText('t')
        .toString(),
    )
    expect(Y.encodeStateAsUpdate(docOf(merged))).toEqual(Y.encodeStateAsUpdate(docOf(...log)))
  })
})

describe('structs of one client', () => {
  test.each<[string, Uint8Array[], Uint8Array[], Uint8Array[]]>([
    ['after a right origin', [leftOf([2, 0], 'a')], [between([1, 0], [2, 0], 'b')], [leftOf([2, 0], 'ab')]],
    [
      'between two origins',
      [between([3, 5], [2, 0], 'a')],
      [between([1, 0], [2, 0], 'b')],
      [between([3, 5], [2, 0], 'ab')],
    ],
    [
      'before nothing, after a struct that had a right origin',
      [leftOf([2, 5], 'a'), root('b')],
      [rightOf([1, 1], 'c')],
      [leftOf([2, 5], 'a'), root('bc')],
    ],
    ['of several characters', [root('abc')], [rightOf([1, 2], 'de')], [root('abcde')]],
    [
      'inside of a run and across its end',
      [root('a'), rightOf([1, 0], 'b'), root('c')],
      [rightOf([1, 2], 'd'), rightOf([1, 3], 'e'), bytes(0, 2), root('f'), rightOf([1, 7], 'g')],
      [root('ab'), root('cde'), bytes(0, 2), root('fg')],
    ],
    [
      'up to a length that takes a byte more',
      [root('a'.repeat(127))],
      [rightOf([1, 126], 'b')],
      [root(`${'a'.repeat(127)}b`)],
    ],
    [
      'whose length is encoded in more bytes than needed',
      [bytes(4, 1, 't', byte(0x81), 0, byte(97))],
      [bytes(byte(0x84), 1, 0, byte(0x81), 0, byte(98))],
      [root('ab')],
    ],
  ])('are joined where they are text typed in a row: %s', (_, before, after, expected) => {
    const clock = scanUpdate(entry(1, 0, ...before)).sections[0].end
    const merged = mergeEntries([entry(1, 0, ...before), entry(1, clock, ...after)])
    expect(merged).toEqual(entry(1, 0, ...expected))
  })

  const json = bytes(2, 1, 't', 1, '1')
  test.each<[string, Uint8Array, Uint8Array]>([
    ['text at the beginning', root('a'), root('b')],
    ['text after another client’s', root('a'), rightOf([2, 0], 'b')],
    ['text after an id of another client with the same clock', root('a'), rightOf([11, 0], 'b')],
    ['text after an earlier id', root('ab'), rightOf([1, 0], 'c')],
    ['text before an id, where the one before has none', root('a'), between([1, 0], [2, 0], 'b')],
    ['text before no id, where the one before has one', leftOf([2, 0], 'a'), rightOf([1, 0], 'b')],
    ['text before another clock', leftOf([2, 0], 'a'), between([1, 0], [2, 1], 'b')],
    ['text before another client', leftOf([2, 0], 'a'), between([1, 0], [3, 0], 'b')],
    ['text before the one before', root('a'), leftOf([1, 0], 'b')],
    ['text under a map key', bytes(0x24, 1, 't', 'key', 'a'), rightOf([1, 0], 'b')],
    ['text after a text under a map key', root('a'), bytes(byte(0xa4), 1, 0, 'b')],
    ['text after a format', bytes(6, 1, 't', 'bold', 'true'), rightOf([1, 0], 'b')],
    ['text after an embed', bytes(5, 1, 't', '{}'), rightOf([1, 0], 'b')],
    ['text after deleted text', bytes(1, 1, 't', 1), rightOf([1, 0], 'b')],
    ['text after collected ids', bytes(0, 1), rightOf([1, 0], 'b')],
    ['a format after text', root('a'), bytes(byte(0x86), 1, 0, 'bold', 'true')],
    ['an embed after text', root('a'), bytes(byte(0x85), 1, 0, '{}')],
    ['deleted text after text', root('a'), bytes(byte(0x81), 1, 0, 1)],
    ['deleted text after deleted text', bytes(1, 1, 't', 1), bytes(byte(0x81), 1, 0, 1)],
    ['collected ids after collected ids', bytes(0, 1), bytes(0, 1)],
    ['values after values', bytes(8, 1, 't', 1, 126), bytes(byte(0x88), 1, 0, 1, 126)],
    ['JSON after JSON', json, bytes(byte(0x82), 1, 0, 1, '1')],
  ])('stay as they are: %s', (_, before, after) => {
    const clock = scanUpdate(entry(1, 0, before)).sections[0].end
    expect(mergeEntries([entry(1, 0, before), entry(1, clock, after)])).toEqual(entry(1, 0, before, after))
  })

  test('are joined to the rest of one that was cut', () => {
    const known = new KnownState(new Map([[1, 2]]))
    const updates = [entry(1, 0, root('abcd'), rightOf([1, 3], 'e')), entry(1, 5, rightOf([1, 4], 'f'))]
    expect(committed(newsOf(updates, known))).toEqual(entry(1, 2, rightOf([1, 1], 'cdef')))
  })
})

test('text of different clients is not joined', () => {
  const first = bytes(1, 2, 0, root('a'))
  const second = bytes(1, 1, 0, rightOf([2, 0], 'b'))
  expect(mergeEntries([bytes(1, first, 0), bytes(1, second, 0)])).toEqual(bytes(2, first, second, 0))
})

/**
 * Writes at a cursor as people do: some keys in a row, some backspaces, then elsewhere. Formats nothing: Yjs repairs
 * formats while it integrates them, otherwise where they come one by one.
 */
class Typist {
  readonly doc = docOf()
  readonly #text = this.doc.getText('text')
  readonly #random: Random
  #at = 0

  constructor(random: Random) {
    this.#random = random
  }

  act(): void {
    const random = this.#random
    const choice = random.below(100)
    this.#at = Math.min(this.#at, this.#text.length)
    if (choice < 10) this.#at = random.below(this.#text.length + 1)
    else if (choice < 20) this.#text.delete(this.#at, Math.min(this.#text.length - this.#at, random.below(4)))
    else if (choice < 30 && this.#at > 0) this.#text.delete(--this.#at, 1)
    else if (choice < 33) this.#text.insertEmbed(this.#at++, { image: 'x' })
    else if (choice < 36) this.doc.getMap('map').set(random.pick(['a', 'b']), 'value')
    else this.#text.insert(this.#at++, random.pick(['a', 'é', '漢', '\ud83d', '\ude00']))
  }
}

/** The entries of a log that typists have written, some commits with several updates. */
function typedLog(seed: number): Uint8Array[] {
  const random = new Random(seed)
  const known = new KnownState()
  const log: Uint8Array[] = []
  const typists = [new Typist(random), new Typist(random), new Typist(random)]
  for (let i = 0; i < 40; i++) {
    const typist = random.pick(typists)
    const updates = recorded(typist.doc, () => {
      for (let keys = random.below(6); keys >= 0; keys--) typist.act()
    })
    const news = newsOf(updates, known)
    if (news.length > 0 && random.chance(0.5)) log.push(committed(news))
    else for (const single of news) log.push(committed([single]))
    if (random.chance(0.3)) Y.applyUpdate(random.pick(typists).doc, Y.encodeStateAsUpdate(typist.doc))
  }
  return log
}

test('a merged log makes the same document as its entries one by one', () => {
  let structs = 0
  let joined = 0
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 31 }), (seed) => {
      const log = typedLog(seed)
      const merged = mergeEntries(log)
      const doc = docOf(merged)
      const truth = docOf(...log)
      expect(isPending(doc)).toBe(false)
      expect(contentOf(doc)).toEqual(contentOf(truth))
      expect(Y.encodeStateAsUpdate(doc)).toEqual(Y.encodeStateAsUpdate(truth))
      structs += log.reduce((sum, entry) => sum + structsIn(entry), 0)
      joined += structsIn(merged)
    }),
    { numRuns: runs(100) },
  )
  expect(joined).toBeLessThan(0.7 * structs)
})

function structsIn(update: Uint8Array): number {
  return scanUpdate(update).sections.reduce((sum, { count }) => sum + count, 0)
}
