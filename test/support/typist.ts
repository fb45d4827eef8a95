import type * as Y from 'yjs'
import type { Random } from './random.ts'

const WORDS = ['a', 'word ', 'zwei Wörter', '😀', '👩‍👩‍👧', 'line\n', '漢字']
/** Longest pause between two edits of somebody who is not told to take their time. */
const MAX_PAUSE_MS = 24

/** Somebody who types and deletes at random, and beside each edit leaves an element of their own that nobody deletes. */
export class Typist {
  readonly doc: Y.Doc
  readonly #name: string
  readonly #random: Random
  readonly #maxPauseMs: number
  readonly #written: string[] = []
  #timer: NodeJS.Timeout | undefined

  constructor(name: string, doc: Y.Doc, random: Random, maxPauseMs = MAX_PAUSE_MS) {
    this.#name = name
    this.doc = doc
    this.#random = random
    this.#maxPauseMs = maxPauseMs
  }

  /** The elements that this one left. */
  get written(): readonly string[] {
    return this.#written
  }

  start(): void {
    this.#timer = setTimeout(() => {
      this.type()
      this.start()
    }, this.#random.below(this.#maxPauseMs))
  }

  stop(): void {
    clearTimeout(this.#timer)
  }

  type(): void {
    const element = `${this.#name}-${this.#written.length}`
    this.doc.transact(() => {
      this.#edit(textIn(this.doc))
      const elements = elementsIn(this.doc)
      elements.insert(this.#random.below(elements.length + 1), [element])
    })
    this.#written.push(element)
  }

  #edit(text: Y.Text): void {
    const random = this.#random
    const at = random.below(text.length + 1)
    const length = Math.min(text.length - at, 1 + random.below(6))
    if (random.chance(0.7)) text.insert(at, random.pick(WORDS))
    else text.delete(at, length)
  }
}

/** What typists edit. */
export function textIn(doc: Y.Doc): Y.Text {
  return doc.getText('text')
}

/** Where typists leave their elements. */
export function elementsIn(doc: Y.Doc): Y.Array<unknown> {
  return doc.getArray('elements')
}
