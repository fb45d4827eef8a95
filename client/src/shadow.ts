import type * as Y from 'yjs'
import { Alignment } from './alignment.ts'
import { renderText, writeValue } from './field.ts'
import { firstLine, holdLine } from './scrolling.ts'
import {
  findSelection,
  type KeptSelection,
  keepSelection,
  readSelection,
  type Selection,
  writeSelection,
} from './selection.ts'
import type { TextElement } from './shown-text.ts'
import { findSplice, type Splice } from './splice.ts'
import { readText } from './text.ts'

/** Half of a surrogate pair, of which Yjs would send something else (U+FFFD) than it keeps. */
const LONE_SURROGATES = /\p{Surrogate}/gu

/** A local edit: the splice of the shown text, and what makes it one of the shared text. */
export interface LocalEdit {
  readonly splice: Splice
  /** To be run in a transaction. */
  apply(): void
}

/**
 * An element and the shared text that it shows. The element is usually behind, by what others did since the last frame
 * or during a composition, and may be ahead (typed, not handled yet). So a local edit is found by comparing the element
 * with what it showed before, never with the shared text, and `#alignment` says where in the shared text it belongs.
 */
export class Shadow {
  readonly element: TextElement
  readonly text: Y.Text
  /** The element's value as it was last read or written here. */
  #shown: string
  #alignment: Alignment
  #isBehind = true
  /** Whether the element could show all characters of the shared text as they are. */
  #isExact = true

  /** Takes the element as one that shows an older state of the text. */
  constructor(element: TextElement, text: Y.Text) {
    this.element = element
    this.text = text
    this.#shown = element.value
    this.#alignment = Alignment.of(this.#shown, readText(text))
  }

  /** Whether the shared text may have changed since it was shown. */
  get isBehind(): boolean {
    return this.#isBehind
  }

  /** Whether the element has changed since it was last read or written here. */
  get isAhead(): boolean {
    return this.element.value !== this.#shown
  }

  toShown(index: number): number {
    return this.#alignment.toShown(index)
  }

  /** What comes in at a caret goes behind it, and what comes in at either end of a selection stays out of it. */
  keepSelection(selection: Selection | null = readSelection(this.element)): KeptSelection | null {
    if (selection === null) return null
    const { start, end, direction } = selection
    const last = this.#alignment.toShared(end, 'before')
    const first = Math.min(last, this.#alignment.toShared(start, start === end ? 'before' : 'after'))
    return keepSelection(this.text, { start: first, end: last, direction })
  }

  restoreSelection(kept: KeptSelection | null): void {
    const selection = kept && findSelection(this.text, kept)
    if (selection === null) return
    const { start, end, direction } = selection
    writeSelection(this.element, { start: this.toShown(start), end: this.toShown(end), direction })
  }

  /** To be called with each change of the shared text but those by `takeEdit`. */
  fallBehind({ delta }: Y.YTextEvent): void {
    this.#isBehind = true
    const { length } = this.text
    const next = this.#alignment.editShared(delta)
    // An observer that edits the text in answer to an edit makes Yjs report the second edit in both deltas.
    const isKnown = this.#alignment.sharedLength === length && next.sharedLength !== length
    if (!isKnown) this.#alignment = next
  }

  /** What changed in the element, as one edit. `before` is the selection before it, where that is known. */
  takeEdit(before: Selection | null): LocalEdit | null {
    const { element, text } = this
    const { value } = element
    const hints = { selection: before ?? undefined, caret: element.selectionEnd ?? value.length }
    const splice = findSplice(this.#shown, value, hints)
    if (splice === null) return null
    const { deletions, insertAt, alignment } = this.#alignment.editShown(splice)
    const insert = splice.insert.replace(LONE_SURROGATES, '\uFFFD')
    // A deletion may make one line end of a return and a line feed.
    if (insert !== splice.insert || !this.#isExact) this.#isBehind = true
    this.#shown = value
    this.#alignment = alignment
    return {
      splice,
      apply() {
        for (const { index, length } of deletions) text.delete(index, length)
        if (insert !== '') text.insert(insertAt, insert)
      },
    }
  }

  /** Takes back what changed in the element. */
  revert(selection: Selection | null = readSelection(this.element)): void {
    writeValue(this.element, this.#shown)
    if (selection) writeSelection(this.element, selection)
  }

  /** Shows the shared text as it is now; selection and view stay on the characters they were on. */
  show(): Splice | null {
    this.#isBehind = false
    const before = this.#shown
    const shared = readText(this.text)
    const rendered = renderText(this.element, shared)
    this.#isExact = rendered === shared
    const selection = this.keepSelection()
    const line = firstLine(this.element)
    const first = line && this.#alignment.toShared(line.offset, 'after')
    if (rendered !== before) writeValue(this.element, rendered)
    this.#shown = this.element.value
    this.#alignment = Alignment.of(this.#shown, shared)
    const splice = findSplice(before, this.#shown, { caret: 0 })
    if (splice === null) return null
    this.restoreSelection(selection)
    if (line && first !== null) holdLine(this.element, line, this.toShown(first))
    return splice
  }
}
