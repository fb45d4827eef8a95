import { isDeepStrictEqual } from 'node:util'
import { describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { Mirror } from '../../server/src/content/mirror.ts'
import type { Json, WatchNews } from '../../server/src/content/requests.ts'
import { jsonOf } from '../../server/src/content/values.ts'
import { patched, spliced } from '../support/changes.ts'
import { Random } from '../support/random.ts'

const SEEDS = Array.from({ length: 8 }, (_, seed) => seed)
const WORDS = ['a', 'word ', '😀', '👩‍👩‍👧', 'line\n', '漢字', '\ufffd']

/** Several who edit at random and hear of each other late, and a log of what they wrote. */
class Room {
  readonly random: Random
  readonly docs: readonly Y.Doc[]
  readonly log: Uint8Array[] = []

  constructor(seed: number) {
    this.random = new Random(seed)
    this.docs = [1, 2, 3].map((clientID) => Object.assign(new Y.Doc(), { clientID }))
    for (const doc of this.docs) {
      doc.on('update', (update: Uint8Array, origin: unknown) => {
        if (origin !== 'remote') this.log.push(update)
      })
    }
  }

  /** Somebody hears what the others wrote, and edits. */
  edit(change: (doc: Y.Doc, random: Random) => void): void {
    const doc = this.random.pick(this.docs)
    for (const other of this.docs) {
      if (other === doc || this.random.chance(0.5)) continue
      Y.applyUpdate(doc, Y.encodeStateAsUpdate(other, Y.encodeStateVector(doc)), 'remote')
    }
    doc.transact(() => {
      for (let left = 1 + this.random.below(3); left > 0; left--) change(doc, this.random)
    })
  }
}

function editText(doc: Y.Doc, random: Random): void {
  const text = doc.getText('root')
  const index = random.below(text.length + 1)
  const length = random.below(Math.min(6, text.length - index) + 1)
  const kind = random.below(10)
  if (kind < 5) text.insert(index, random.pick(WORDS), random.chance(0.2) ? { bold: true } : undefined)
  else if (kind < 8) text.delete(index, length)
  else if (kind < 9) text.format(index, length, { bold: random.chance(0.5) ? true : null })
  else text.insertEmbed(index, { image: 'x' })
}

/** A map that nests maps, arrays and texts, with keys that a JSON Pointer has to escape. */
function editMap(doc: Y.Doc, random: Random): void {
  let type: unknown = doc.getMap('root')
  for (;;) {
    const children: unknown[] =
      type instanceof Y.Map ? [...type.values()] : type instanceof Y.Array ? type.toArray() : []
    const inner = children.filter((child) => child instanceof Y.AbstractType)
    if (inner.length === 0 || random.chance(0.4)) break
    type = random.pick(inner)
  }
  if (type instanceof Y.Map) {
    const key = random.pick(['a', 'b/c', 'd~e', '__proto__', ''])
    if (random.chance(0.25)) type.delete(key)
    else type.set(key, newValue(random))
  } else if (type instanceof Y.Array) {
    const index = random.below(type.length + 1)
    if (random.chance(0.4)) type.delete(index, Math.min(type.length - index, random.below(3)))
    else type.insert(index, [newValue(random), newValue(random)])
  } else if (type instanceof Y.Text) type.insert(random.below(type.length + 1), random.pick(WORDS))
}

function newValue(random: Random): unknown {
  const kind = random.below(6)
  if (kind === 0) return new Y.Map([['inner', 1]])
  if (kind === 1) return Y.Array.from([1, { plain: [2] }])
  if (kind === 2) return new Y.Text('text')
  return random.pick([1, 'string', null, true, [1, 2], { key: 'value' }])
}

/** Follows one root by what the mirror tells. */
class Reader {
  text = ''
  json: Json = null
  position = 0

  take(news: readonly WatchNews[]): void {
    for (const { id, steps } of news) {
      for (const { after, position, changes } of steps) {
        expect(after).toBeGreaterThanOrEqual(this.position)
        this.position = Math.max(this.position, id === 1 ? position : 0)
        if (id === 1) this.text = spliced(this.text, JSON.parse(changes))
        else this.json = patched(this.json, JSON.parse(changes))
      }
    }
  }
}

const BOTH = [
  { id: 1, root: 'root', as: 'text', fromSnapshot: true },
  { id: 2, root: 'root', as: 'json', fromSnapshot: true },
] as const

describe.for(SEEDS)('with seed %i', (seed) => {
  test('splices rebuild a text, whoever edits it and however it is formatted', () => {
    const room = new Room(seed)
    const mirror = new Mirror(9)
    mirror.watches.keep(BOTH.slice(0, 1))
    mirror.apply([], false)
    const reader = new Reader()
    for (let position = 0; position < 80; ) {
      while (room.log.length === position) room.edit(editText)
      const updates = room.log.slice(position).map((update) => ({ update, position: ++position }))
      reader.take(mirror.apply(updates, false))
      expect(reader.text).toBe(textIn(room.log))
    }
  })

  test('JSON Patches rebuild a map with all that nests in it', () => {
    const room = new Room(seed)
    const mirror = new Mirror(9)
    mirror.watches.keep(BOTH.slice(1))
    mirror.apply([], false)
    const reader = new Reader()
    for (let position = 0; position < 80; ) {
      while (room.log.length === position) room.edit(editMap)
      const updates = room.log.slice(position).map((update) => ({ update, position: ++position }))
      reader.take(mirror.apply(updates, false))
      expect(isDeepStrictEqual(reader.json, jsonOf(merged(room.log).getMap('root')))).toBe(true)
    }
  })

  test('a text is told when the log has it, though the mirror wrote it itself before that', () => {
    const room = new Room(seed)
    const mirror = new Mirror(9)
    mirror.watches.keep(BOTH.slice(0, 1))
    mirror.apply([], false)
    const reader = new Reader()
    room.edit(editText)
    for (let position = 0; position < 60; ) {
      const updates = room.log.slice(position).map((update) => ({ update, position: ++position }))
      reader.take(mirror.apply(updates, false))
      expect(reader.text).toBe(textIn(room.log))
      const edits = [{ index: 0, insert: `${position} ` }]
      const result = mirror.edit({ kind: 'edit', root: 'root', seen: undefined, changes: { as: 'text-edits', edits } })
      // Somebody else is a moment faster.
      room.edit(editText)
      if (result.ok && result.kind === 'edit' && result.update) room.log.push(result.update)
    }
  })

  test('a document that is built anew tells each step since its snapshot', () => {
    const room = new Room(seed)
    while (room.log.length < 60) room.edit(editText)
    const snapshot = 20
    const mirror = new Mirror(9)
    mirror.watches.keep(BOTH)
    const base = { update: Y.mergeUpdates(room.log.slice(0, snapshot)), position: snapshot }
    const tail = room.log.slice(snapshot).map((update, index) => ({ update, position: snapshot + index + 1 }))
    const news = mirror.apply([base, ...tail], true)
    expect(news.map(({ begun }) => begun)).toEqual([snapshot, snapshot])
    let text = textIn(room.log.slice(0, snapshot))
    for (const { position, changes } of news[0].steps) {
      text = spliced(text, JSON.parse(changes))
      expect(text).toBe(textIn(room.log.slice(0, position)))
    }
    expect(text).toBe(textIn(room.log))
  })
})

test('a root that turns out to be no text is unfit for splices, and one of many operations is replaced', () => {
  const doc = new Y.Doc()
  doc.getMap('root').set('list', Y.Array.from([0]))
  const mirror = new Mirror(9)
  mirror.watches.keep(BOTH)
  const news = mirror.apply([{ update: Y.encodeStateAsUpdate(doc), position: 1 }], false)
  expect(news).toMatchObject([
    { id: 1, isUnfit: true },
    { id: 2, isUnfit: false },
  ])
  const list = doc.getMap('root').get('list')
  if (list instanceof Y.Array) list.push(Array.from({ length: 5_000 }, (_, index) => index))
  const [, { steps }] = mirror.apply([{ update: Y.encodeStateAsUpdate(doc), position: 2 }], false)
  expect(JSON.parse(steps[0].changes)).toMatchObject([{ op: 'replace', path: '' }])
})

function merged(log: readonly Uint8Array[]): Y.Doc {
  const doc = new Y.Doc()
  for (const update of log) Y.applyUpdate(doc, update)
  return doc
}

function textIn(log: readonly Uint8Array[]): string {
  return merged(log).getText('root').toString()
}
