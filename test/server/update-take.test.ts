import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import {
  encodeNews,
  KnownState,
  mergeEntries,
  scanUpdate,
  type Taken,
  takeNews,
} from '../../server/src/protocol/update/update.ts'
import { byte, bytes } from '../support/bytes.ts'
import { declareTypes, Editor, isPending } from '../support/editing.ts'
import { Random } from '../support/random.ts'
import { runs } from '../support/runs.ts'

type Id = readonly [client: number, clock: number]

/** A text of one character at the beginning of a root type. */
const first = bytes(4, 1, 't', 'x')
const rightOf = (id: Id) => bytes(byte(0x84), ...id, 'x')
const leftOf = (id: Id) => bytes(0x44, ...id, 'x')
const inside = (id: Id) => bytes(4, 0, ...id, 'x')
const skip = (length: number) => bytes(10, length)

/** One client's structs from a clock on. */
const section = (client: number, clock: number, ...structs: Uint8Array[]) =>
  bytes(structs.length, client, clock, ...structs)
const update = (...sections: Uint8Array[]) => bytes(sections.length, ...sections, 0)
const deletion = (client: number, ...ranges: Id[]) => bytes(0, 1, client, ranges.length, ...ranges.flat())

function stateOf(clocks: Record<number, number>): KnownState {
  return new KnownState(new Map(Object.entries(clocks).map(([client, clock]) => [Number(client), clock])))
}

function take(update: Uint8Array, known: KnownState): Taken {
  return takeNews(scanUpdate(update), known)
}

/** What was taken as an update, or null. */
function taken(update: Uint8Array, known: KnownState): Uint8Array | null {
  const { news } = take(update, known)
  return news && encodeNews([news])
}

describe('structs', () => {
  test.each<[string, Record<number, number>, Uint8Array, Record<number, number>, boolean]>([
    ['all, when they build on nothing', {}, update(section(1, 0, first, rightOf([1, 0]))), { 1: 2 }, true],
    ['those that build on what is known', { 2: 5 }, update(section(1, 0, rightOf([2, 4]))), { 2: 5, 1: 1 }, true],
    ['none after an unknown origin', { 2: 4 }, update(section(1, 0, rightOf([2, 4]), first)), { 2: 4 }, false],
    ['none after an unknown right origin', {}, update(section(1, 0, first, leftOf([2, 0]))), { 1: 1 }, false],
    ['none in an unknown parent', {}, update(section(1, 0, inside([2, 0]))), {}, false],
    ['none after a gap', { 1: 1 }, update(section(1, 2, first)), { 1: 1 }, false],
    ['none after an unknown Skip', {}, update(section(1, 0, first, skip(2), first)), { 1: 1 }, false],
    ['those after a known Skip', { 1: 3 }, update(section(1, 0, first, skip(2), first)), { 1: 4 }, true],
    [
      'those after a Skip that begins in the known',
      { 1: 4 },
      update(section(1, 0, first, skip(4), first)),
      { 1: 4 },
      false,
    ],
    [
      'known ones without a look at what they build on',
      { 1: 2 },
      update(section(1, 0, rightOf([9, 9]), first)),
      { 1: 2 },
      true,
    ],
    [
      'sections that need each other by turns',
      {},
      update(section(2, 0, rightOf([1, 0]), rightOf([1, 1])), section(1, 0, first, rightOf([2, 0]))),
      { 1: 2, 2: 2 },
      true,
    ],
    [
      'a section up to what another needs of it',
      {},
      update(section(2, 0, first, rightOf([1, 1])), section(1, 0, rightOf([2, 0]), first, rightOf([9, 0]))),
      { 1: 2, 2: 2 },
      false,
    ],
    [
      'the others beside two that wait for each other',
      {},
      update(section(3, 0, first), section(2, 0, rightOf([1, 0])), section(1, 0, rightOf([2, 0]))),
      { 3: 1 },
      false,
    ],
    [
      'none of a circle of three, nor what builds on it',
      {},
      update(
        section(4, 0, rightOf([3, 0])),
        section(3, 0, leftOf([2, 0])),
        section(2, 0, inside([1, 0])),
        section(1, 0, rightOf([3, 0])),
      ),
      {},
      false,
    ],
    [
      'what precedes a circle',
      {},
      update(section(2, 0, first, rightOf([1, 1])), section(1, 0, first, rightOf([2, 1]))),
      { 1: 1, 2: 1 },
      false,
    ],
    [
      'none that builds on what is left out',
      {},
      update(section(3, 0, rightOf([2, 0])), section(2, 0, rightOf([1, 0])), section(1, 0, rightOf([9, 0]))),
      {},
      false,
    ],
  ])('takes %s', (_, clocks, update, expected, complete) => {
    const known = stateOf(clocks)
    const result = take(update, known)
    expect(known.clocks).toEqual(stateOf(expected).clocks)
    expect(result.complete).toBe(complete)
    expect(result.news === null).toBe(Object.keys(expected).every((client) => expected[+client] === clocks[+client]))
  })

  test('takes the rest when what it builds on has come', () => {
    const known = new KnownState()
    const edit = update(section(1, 0, rightOf([2, 0])))
    expect(take(edit, known)).toEqual({ news: null, complete: false })
    expect(take(update(section(2, 0, first)), known).complete).toBe(true)
    expect(taken(edit, known)).toEqual(edit)
    expect(take(edit, known)).toEqual({ news: null, complete: true })
  })

  test.each<[string, number[]]>([
    ['descending', Array.from({ length: 20_000 }, (_, i) => 20_000 - i)],
    ['ascending', Array.from({ length: 20_000 }, (_, i) => i + 1)],
  ])('takes a chain across 20,000 clients, each building on the next, %s', (_, chain) => {
    const structOf = new Map(chain.map((client, i) => [client, i === 0 ? first : rightOf([chain[i - 1], 0])]))
    const sections = chain.toSorted((a, b) => b - a).map((client) => section(client, 0, structOf.get(client) ?? first))
    const known = new KnownState()
    expect(take(update(...sections), known).complete).toBe(true)
    expect(known.clocks.size).toBe(20_000)
  })

  test('leaves out what is known, whatever its content', () => {
    const known = stateOf({ 1: 3 })
    const collected = update(section(1, 0, bytes(0, 2), bytes(byte(0x84), 1, 1, 'abc')))
    expect(taken(collected, known)).toEqual(update(section(1, 3, bytes(byte(0x84), 1, 2, 'bc'))))
  })

  test.each<[string, Uint8Array, Uint8Array]>([
    ['a collected struct', bytes(0, 7), bytes(0, 5)],
    ['deleted content', bytes(1, 1, 't', 7), bytes(byte(0x81), 1, 1, 5)],
    ['a text', bytes(4, 1, 't', 'abcdé'), bytes(byte(0x84), 1, 1, 'cdé')],
    ['a text in a surrogate pair', bytes(4, 1, 't', 'a😀b'), bytes(byte(0x84), 1, 1, '\ufffdb')],
    ['a text that keeps its right origin', bytes(byte(0xc4), 2, 0, 2, 1, 'abcd'), bytes(byte(0xc4), 1, 1, 2, 1, 'cd')],
    ['a text in a map', bytes(0x24, 1, 'm', 'key', 'abcd'), bytes(byte(0xa4), 1, 1, 'cd')],
    ['JSON values', bytes(2, 1, 't', 3, '1', 'undefined', '[2]'), bytes(byte(0x82), 1, 1, 1, '[2]')],
    ['values', bytes(8, 1, 't', 4, 126, 117, 1, 126, 120, 119, 'é'), bytes(byte(0x88), 1, 1, 2, 120, 119, 'é')],
  ])('cuts %s where the known ends', (_, struct, rest) => {
    const known = stateOf({ 1: 2, 2: 9 })
    expect(taken(update(section(1, 0, struct)), known)).toEqual(update(section(1, 2, rest)))
  })

  test('cuts as Yjs does', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const random = new Random(seed)
        const doc = new Y.Doc({ gc: random.chance(0.5) })
        const editor = new Editor(doc, random)
        for (let i = 0; i < 8; i++) editor.edit()
        const length = Y.getState(doc.store, doc.clientID)
        const whole = Y.encodeStateAsUpdate(doc)
        for (let clock = 0; clock < length; clock++) {
          const known = stateOf({ [doc.clientID]: clock })
          const expected = Y.encodeStateAsUpdate(doc, known.encodeStateVector())
          expect(taken(whole, known)).toEqual(expected)
        }
      }),
      { numRuns: runs(40) },
    )
  })
})

describe('deletions', () => {
  test('of known ids are news once, in whole ranges', () => {
    const known = stateOf({ 1: 10 })
    expect(taken(deletion(1, [2, 3]), known)).toEqual(deletion(1, [2, 3]))
    expect(take(deletion(1, [2, 3]), known)).toEqual({ news: null, complete: true })
    expect(taken(deletion(1, [0, 10]), known)).toEqual(deletion(1, [0, 10]))
    expect(take(deletion(1, [0, 10]), known)).toEqual({ news: null, complete: true })
  })

  test('of unknown ids are left until these have come', () => {
    const known = stateOf({ 1: 3 })
    expect(take(deletion(2, [0, 1]), known)).toEqual({ news: null, complete: false })
    const { news, complete } = take(deletion(1, [2, 3]), known)
    expect(news && encodeNews([news])).toEqual(deletion(1, [2, 1]))
    expect(complete).toBe(false)
    known.advance(1, 5)
    expect(taken(deletion(1, [2, 3]), known)).toEqual(deletion(1, [2, 3]))
  })

  test('of ids that the same update brings are taken with them', () => {
    const both = bytes(1, section(1, 0, first), 1, 1, 1, 0, 1)
    expect(taken(both, new KnownState())).toEqual(both)
  })

  test('are written sorted and merged, however they came', () => {
    const known = stateOf({ 1: 10, 2: 10 })
    const unsorted = bytes(0, 3, 1, 3, 6, 1, 2, 2, 3, 3, 2, 1, 0, 1, 1, 1, 0, 1)
    expect(taken(unsorted, known)).toEqual(bytes(0, 2, 2, 1, 0, 1, 1, 2, 0, 1, 2, 5))
  })
})

test('several takes become one update, in their order', () => {
  const known = new KnownState()
  const edits = [
    bytes(1, section(1, 0, first), 0),
    bytes(1, section(2, 0, rightOf([1, 0])), 1, 1, 1, 0, 1),
    bytes(1, section(1, 1, rightOf([2, 0])), 1, 2, 1, 0, 1),
  ]
  const news = edits.map((edit) => take(edit, known).news).filter((news) => news !== null)
  const expected = bytes(
    2,
    section(2, 0, rightOf([1, 0])),
    section(1, 0, first, rightOf([2, 0])),
    2,
    2,
    1,
    0,
    1,
    1,
    1,
    0,
    1,
  )
  expect(encodeNews(news)).toEqual(expected)
})

const seeds = fc.integer({ min: 0, max: 2 ** 31 })

/** Structs of a client that knows the format but nothing of what makes sense. */
class Vandal {
  readonly #random: Random
  readonly #clocks = new Map([1, 2, 3, 4].map((client) => [client, 0]))

  constructor(random: Random) {
    this.#random = random
  }

  update(): Uint8Array {
    const sections = [...this.#clocks.keys()].filter(() => this.#random.chance(0.6)).toSorted((a, b) => b - a)
    return bytes(sections.length, ...sections.map((client) => this.#section(client)), this.#deletions())
  }

  #section(client: number): Uint8Array {
    const start = this.#clocks.get(client) ?? 0
    const count = 1 + this.#random.below(5)
    const structs = Array.from({ length: count }, () => this.#struct(client))
    return section(client, start, ...structs)
  }

  #struct(client: number): Uint8Array {
    const clock = this.#clocks.get(client) ?? 0
    const [kind, length, content] = this.#content()
    this.#clocks.set(client, clock + length)
    if (kind === 0) return bytes(0, content)
    const origin = this.#idBefore(client, clock)
    const rightOrigin = this.#idBefore(client, clock)
    const parent = this.#idBefore(client, clock)
    const hasKey = this.#random.chance(0.3)
    const flags = (origin ? 0x80 : 0) | (rightOrigin ? 0x40 : 0) | (hasKey ? 0x20 : 0)
    const place = origin || rightOrigin ? bytes() : this.#place(parent, hasKey)
    return bytes(byte(kind | flags), ...(origin ?? []), ...(rightOrigin ?? []), place, content)
  }

  #place(parent: Id | null, hasKey: boolean): Uint8Array {
    const root = this.#random.pick(['text', 'map', 'array', 'xml', '', '__proto__'])
    const key = hasKey ? bytes(this.#random.pick(['a', 'b', '__proto__', 'constructor'])) : bytes()
    return parent === null ? bytes(1, root, key) : bytes(0, ...parent, key)
  }

  #idBefore(client: number, clock: number): Id | null {
    if (this.#random.chance(0.4)) return null
    const other = this.#random.pick([...this.#clocks.keys()])
    const end = other === client ? clock : (this.#clocks.get(other) ?? 0)
    return end === 0 ? null : [other, this.#random.below(end)]
  }

  #content(): [kind: number, length: number, content: Uint8Array] {
    const length = 1 + this.#random.below(4)
    const type = this.#random.below(7)
    return this.#random.pick<() => [number, number, Uint8Array]>([
      () => [0, length, bytes(length)],
      () => [1, length, bytes(length)],
      () => [2, 2, bytes(2, 'undefined', '{"__proto__":1}')],
      () => [3, 1, bytes(1, byte(255))],
      () => [4, length, bytes('😀😀'.slice(0, length & ~1) + (length & 1 ? 'x' : ''))],
      () => [5, 1, bytes('{"a":null}')],
      () => [6, 1, bytes(this.#random.pick(['bold', '__proto__']), this.#random.pick(['true', 'null', '{}']))],
      () => [7, 1, type === 3 || type === 5 ? bytes(type, 'p') : bytes(type)],
      () => [8, 2, bytes(2, 127, 118, 1, '__proto__', 126)],
      () => [9, 1, bytes('guid', 118, 2, 'meta', 126, '__proto__', 118, 0)],
    ])()
  }

  #deletions(): Uint8Array {
    const [client, clock] = this.#random.pick([...this.#clocks])
    if (clock === 0 || this.#random.chance(0.5)) return bytes(0)
    const start = this.#random.below(clock)
    return bytes(1, client, 1, start, 1 + this.#random.below(clock - start))
  }
}

/**
 * Without garbage collection: Yjs throws while collecting some things that only a vandal writes, such as two values
 * under one map key that are cut apart. To tell, one would need the document, not the update.
 */
test('whatever a vandal writes, what is taken of it any client can apply', () => {
  fc.assert(
    fc.property(seeds, (seed) => {
      const vandal = new Vandal(new Random(seed))
      const known = new KnownState()
      const doc = declareTypes(new Y.Doc({ gc: false }))
      const log: Uint8Array[] = []
      for (let i = 0; i < 6; i++) {
        const update = taken(vandal.update(), known)
        if (update !== null) {
          Y.applyUpdate(doc, update)
          log.push(update)
        }
        expect(isPending(doc)).toBe(false)
        expect(Y.decodeStateVector(known.encodeStateVector())).toEqual(Y.decodeStateVector(Y.encodeStateVector(doc)))
      }
      const latecomer = declareTypes(new Y.Doc({ gc: false }))
      Y.applyUpdate(latecomer, mergeEntries(log))
      expect(isPending(latecomer)).toBe(false)
      expect(Y.decodeStateVector(known.encodeStateVector())).toEqual(
        Y.decodeStateVector(Y.encodeStateVector(latecomer)),
      )
    }),
    { numRuns: runs(300) },
  )
})
