import * as Y from 'yjs'
import { fates, type RootWatch } from './root-watch.ts'
import type { Roots } from './roots.ts'

/** A change at a position in UTF-16 code units of the text without formatting and embedded objects. */
export interface Splice {
  readonly index: number
  readonly delete?: number
  readonly insert?: string
}

/** What Yjs makes of the halves of a surrogate pair that is parted. */
const PARTED = '\ufffd'

/** Notes the changes of a text as splices. */
export class TextWatch implements RootWatch {
  readonly #roots: Roots
  readonly #name: string
  #text: Y.Text | undefined
  #splices: Splice[] = []

  constructor(roots: Roots, name: string) {
    this.#roots = roots
    this.#name = name
    this.#find()
  }

  get isUnfit(): boolean {
    const kind = this.#roots.kindOf(this.#name)
    return kind !== undefined && kind !== 'text'
  }

  take(): readonly Splice[] {
    if (this.#find()) return [{ index: 0, insert: String(this.#text) }]
    const splices = this.#splices
    this.#splices = []
    return splices
  }

  end(): void {
    this.#text?.unobserve(this.#note)
  }

  /** Tells whether the root was found to be a text just now. */
  #find(): boolean {
    if (this.#text || this.#roots.kindOf(this.#name) !== 'text') return false
    this.#text = this.#roots.text(this.#name)
    this.#text.observe(this.#note)
    return true
  }

  readonly #note = (event: Y.YTextEvent): void => {
    const splices = new Splices()
    const isTouched = (item: Y.Item | null) => item !== null && (event.adds(item) || event.deletes(item))
    for (const [{ content, left, right }, fate] of fates(event.target, event)) {
      if (!(content instanceof Y.ContentString)) continue
      if (fate === 'new') splices.insert(content.str)
      else if (fate === 'gone') splices.delete(content.str.length)
      else splices.keep(content.str, isTouched(left), isTouched(right))
    }
    this.#splices.push(...splices.finish())
  }
}

/** Collects splices from the beginning of a text to its end. */
class Splices {
  readonly #all: Splice[] = []
  #index = 0
  #deleted = 0
  #inserted = ''

  insert(text: string): void {
    this.#inserted += text
  }

  delete(length: number): void {
    this.#deleted += length
  }

  /** Beside what is new or gone there may be what was half of a character before that parted it. */
  keep(text: string, isTouchedBefore: boolean, isTouchedBehind: boolean): void {
    const start = isTouchedBefore && text.startsWith(PARTED) ? 1 : 0
    const end = isTouchedBehind && text.length > start && text.endsWith(PARTED) ? text.length - 1 : text.length
    this.#replace(start)
    if (end > start) {
      this.#flush()
      this.#index += end - start
    }
    this.#replace(text.length - end)
  }

  finish(): readonly Splice[] {
    this.#flush()
    return this.#all
  }

  #replace(parted: number): void {
    if (parted === 0) return
    this.delete(1)
    this.insert(PARTED)
  }

  #flush(): void {
    const [length, insert] = [this.#deleted, this.#inserted]
    if (length === 0 && insert === '') return
    this.#all.push({ index: this.#index, ...(length > 0 && { delete: length }), ...(insert !== '' && { insert }) })
    this.#index += insert.length
    this.#deleted = 0
    this.#inserted = ''
  }
}
