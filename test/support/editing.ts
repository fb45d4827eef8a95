import { isDeepStrictEqual } from 'node:util'
import * as Y from 'yjs'
import type { Random } from './random.ts'

const WORDS = ['a', 'word', 'zwei Wörter', '😀', 'x😀y😀', 'line\n', 'é', '漢字']
const KEYS = ['a', 'b', 'c']
const VALUES: readonly unknown[] = [
  null,
  { missing: undefined },
  true,
  false,
  0,
  -7,
  2 ** 40,
  1.5,
  Math.PI,
  { big: -1234567890123456789n },
  'text',
  '😀',
  new Uint8Array([1, 2, 255]),
  { nested: [1, { deep: 'é' }], list: [] },
  ['mixed', null, { a: false }],
]

type Parent = Y.Map<unknown> | Y.Array<unknown> | Y.Text | Y.XmlFragment

/** One user's edits to a document that uses everything Yjs has. */
export class Editor {
  readonly doc: Y.Doc
  readonly undoManager: Y.UndoManager
  readonly #random: Random

  constructor(doc: Y.Doc, random: Random) {
    this.doc = doc
    this.#random = random
    const { text, map, array, xml } = rootsOf(doc)
    this.undoManager = new Y.UndoManager([text, map, array, xml], {
      captureTimeout: 0,
      trackedOrigins: new Set([this]),
    })
  }

  /** One transaction with one to three edits, or an undo or redo. */
  edit(): void {
    const random = this.#random
    if (random.chance(0.1)) this.undoManager.undo()
    else if (random.chance(0.05)) this.undoManager.redo()
    else {
      this.doc.transact(() => {
        for (let edits = 1 + random.below(3); edits > 0; edits--) this.#editType(random.pick(typesIn(this.doc)))
      }, this)
    }
  }

  #editType(type: Parent): void {
    if (type instanceof Y.Text) this.#editText(type)
    else if (type instanceof Y.Map) this.#editMap(type)
    else if (type instanceof Y.Array) this.#editArray(type)
    else this.#editXml(type)
  }

  #editText(text: Y.Text): void {
    const random = this.#random
    const boundaries = boundariesIn(text)
    const index = random.below(boundaries.length)
    const at = boundaries[index]
    const length = boundaries[Math.min(boundaries.length - 1, index + random.below(5))] - at
    const choice = random.below(10)
    if (choice < 5) text.insert(at, random.pick(WORDS))
    else if (choice < 7) text.delete(at, length)
    else if (choice < 9)
      text.format(at, length, { [random.pick(['bold', 'link'])]: random.pick([true, null, 'https://x/é']) })
    else text.insertEmbed(at, { image: random.pick(WORDS) })
  }

  #editMap(map: Y.Map<unknown>): void {
    const key = this.#random.pick(KEYS)
    if (this.#random.chance(0.2)) map.delete(key)
    else map.set(key, this.#value())
  }

  #editArray(array: Y.Array<unknown>): void {
    const at = this.#random.below(array.length + 1)
    if (this.#random.chance(0.3)) array.delete(at, Math.min(array.length - at, this.#random.below(4)))
    else array.insert(at, [this.#value(), ...this.#plainValues()])
  }

  #editXml(xml: Y.XmlFragment): void {
    const random = this.#random
    const at = random.below(xml.length + 1)
    if (xml.length > at && random.chance(0.3)) xml.delete(at, 1)
    else if (xml instanceof Y.XmlElement && random.chance(0.4)) xml.setAttribute(random.pick(KEYS), random.pick(WORDS))
    else xml.insert(at, [this.#xmlNode()])
  }

  #xmlNode(): Y.XmlElement | Y.XmlText {
    return this.#random.pick([() => new Y.XmlElement('p'), () => new Y.XmlText('é😀'), () => new Y.XmlElement('日')])()
  }

  #plainValues(): unknown[] {
    return Array.from({ length: this.#random.below(3) }, () => this.#random.pick(VALUES))
  }

  #value(): unknown {
    const random = this.#random
    if (random.chance(0.6)) return random.pick(VALUES)
    return random.pick([
      () => new Y.Map([['seed', random.pick(VALUES)]]),
      () => Y.Array.from([1, 'two', null]),
      () => new Y.Text(random.pick(WORDS)),
      () => new Y.XmlElement('div'),
      () => new Y.XmlHook('hook'),
      () => new Y.Doc({ guid: `sub-${random.below(1000)}`, meta: { title: 'é' }, autoLoad: random.chance(0.5) }),
    ])()
  }
}

/**
 * The positions between characters. Yjs replaces both halves of a surrogate pair when an edit begins inside of it, and
 * not every such edit is one that the others hear of, so clients that do this differ for good.
 */
function boundariesIn(text: Y.Text): number[] {
  const boundaries = [0]
  let at = 0
  for (const { insert } of text.toDelta()) {
    for (const character of typeof insert === 'string' ? insert : ['embed']) {
      at += typeof insert === 'string' ? character.length : 1
      boundaries.push(at)
    }
  }
  return boundaries
}

/** The shared types at the root, with the names that all tests use. */
function rootsOf(doc: Y.Doc) {
  return {
    text: doc.getText('text'),
    map: doc.getMap<unknown>('map'),
    array: doc.getArray<unknown>('array'),
    xml: doc.getXmlFragment('xml'),
  }
}

function typesIn(doc: Y.Doc): Parent[] {
  const { text, map, array, xml } = rootsOf(doc)
  const found: Parent[] = [text, map, array, xml]
  for (const type of found) {
    for (const child of childrenOf(type)) {
      if (isEditable(child)) found.push(child)
    }
  }
  return found
}

function childrenOf(type: Parent): unknown[] {
  if (type instanceof Y.Text) return []
  if (type instanceof Y.Map) return [...type.values()]
  return type.toArray()
}

function isEditable(value: unknown): value is Parent {
  return value instanceof Y.Map || value instanceof Y.Array || value instanceof Y.Text || value instanceof Y.XmlFragment
}

/** All that a reader of the document can see, as plain values to compare. */
export function contentOf(doc: Y.Doc): unknown {
  const { text, map, array, xml } = rootsOf(doc)
  return [text, map, array, xml].map(plain)
}

function plain(value: unknown): unknown {
  if (value instanceof Y.Doc) return { subdocument: value.guid, meta: value.meta, autoLoad: value.autoLoad }
  if (value instanceof Y.Text) return { delta: seenDelta(value) }
  if (value instanceof Y.XmlHook) return { hook: value.hookName }
  if (value instanceof Y.XmlElement)
    return { [value.nodeName]: value.getAttributes(), children: value.toArray().map(plain) }
  if (value instanceof Y.Array || value instanceof Y.XmlFragment) return value.toArray().map(plain)
  if (value instanceof Y.Map) return Object.fromEntries([...value.entries()].map(([key, item]) => [key, plain(item)]))
  return value
}

/**
 * A text's delta, in which text of the same attributes stands together. Yjs parts it where marks without effect lie, and
 * deletes some of those by itself: which ones depends on how the same edits were cut into updates.
 */
function seenDelta(text: Y.Text): unknown[] {
  const seen: { insert: unknown; attributes?: unknown }[] = []
  for (const { insert, attributes } of text.toDelta()) {
    const last = seen.at(-1)
    if (
      typeof insert === 'string' &&
      typeof last?.insert === 'string' &&
      isDeepStrictEqual(last.attributes, attributes)
    )
      last.insert += insert
    else seen.push({ insert: plain(insert), attributes })
  }
  return seen
}

/** Whether the document waits for structs or deletions that it has not received. */
export function isPending(doc: Y.Doc): boolean {
  return doc.store.pendingStructs !== null || doc.store.pendingDs !== null
}

/** Declares the root types, as applications do before they load anything: until then Yjs takes no part in what is in them. */
export function declareTypes(doc: Y.Doc): Y.Doc {
  rootsOf(doc)
  return doc
}

/** A document that starts from these updates. */
export function docOf(...updates: readonly Uint8Array[]): Y.Doc {
  const doc = declareTypes(new Y.Doc())
  for (const update of updates) Y.applyUpdate(doc, update)
  return doc
}
