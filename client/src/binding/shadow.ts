import * as Y from 'yjs'
import { type Alignment, align, editShared, editShown, lengthOf, toShared, toShown } from './alignment.ts'
import { isSelectable, readSelection, renderText, writeSelection, writeValue } from './field.ts'
import type { KeptSelection, Selection } from './selection.ts'
import { readText } from './shared-text.ts'
import type { TextElement } from './shown-text.ts'
import { applySplice, findSplice, type Splice } from './splice.ts'

/** Half of a surrogate pair, of which Yjs would send something else (U+FFFD) than it keeps. */
const LONE_SURROGATES = /\p{Surrogate}/gu

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
  /** The selection that the element is to have with the focus, and the one that writing its value has left it. */
  #owed: { readonly kept: KeptSelection; readonly left: Selection | null } | null = null

  /** Takes the element as one that shows an older state of the text. */
  constructor(element: TextElement, text: Y.Text) {
    this.element = element
    this.text = text
    this.#shown = element.value
    this.#alignment = align(this.#shown, readText(text))
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
    return toShown(this.#alignment, index)
  }

  /** The offset in the shared text of a character that is shown. */
  toShared(offset: number): number {
    return toShared(this.#alignment, offset, 'after')
  }

  /** A caret keeps to the character before it, and a selection to those in it: what comes in at its ends stays out. */
  keepSelection(selection: Selection | null = readSelection(this.element)): KeptSelection | null {
    if (selection === null) return null
    if (this.#owed !== null && isSame(selection, this.#owed.left)) return this.#owed.kept
    // The application has selected something else.
    this.#owed = null
    const keep = (offset: number, isStart: boolean) => {
      const index = toShared(this.#alignment, offset, isStart ? 'after' : 'before')
      return Y.createRelativePositionFromTypeIndex(this.text, index, isStart ? 0 : -1)
    }
    const { anchor, head } = selection
    return { anchor: keep(anchor, anchor < head), head: keep(head, head < anchor) }
  }

  /** Where what was kept is now, in offsets of the element. */
  findSelection({ anchor, head }: KeptSelection): Selection {
    const { doc } = this.text
    const find = (position: Y.RelativePosition) => {
      const found = doc && Y.createAbsolutePositionFromRelativePosition(position, doc)
      return this.toShown(found?.index ?? 0)
    }
    return { anchor: find(anchor), head: find(head) }
  }

  /** Selects what was kept: now, or with the focus. Returns whether the browser will scroll there. */
  restoreSelection(kept: KeptSelection): boolean {
    const isNow = isSelectable(this.element)
    this.#owed = isNow ? null : { kept, left: readSelection(this.element) }
    return isNow && writeSelection(this.element, this.findSelection(kept))
  }

  /** To be called as soon as the element has the focus. */
  selectOwed(): void {
    if (this.#owed !== null) this.restoreSelection(this.#owed.kept)
  }

  /** To be called with each change of the shared text but those by `takeEdit`. */
  fallBehind({ delta }: Y.YTextEvent): void {
    this.#isBehind = true
    const { length } = this.text
    const next = editShared(this.#alignment, delta)
    // An observer that edits the text in answer to an edit makes Yjs report the second edit in both deltas.
    const isKnown = lengthOf(this.#alignment, 'shared') === length && lengthOf(next, 'shared') !== length
    if (!isKnown) this.#alignment = next
  }

  /**
   * Makes what changed in the element one edit of the shared text, which `run` has to run. `before` is the selection
   * before it, where that is known.
   */
  takeEdit(before: Selection | null, run: (edit: () => void) => void): Splice | null {
    const { element, text } = this
    const { value } = element
    const splice = findSplice(this.#shown, value, element.selectionEnd ?? value.length, before)
    if (splice === null) return null
    const { deletions, insertAt, alignment } = editShown(this.#alignment, splice)
    const insert = splice.insert.replace(LONE_SURROGATES, '\uFFFD')
    // A deletion may make one line end of a return and a line feed.
    if (insert !== splice.insert || !this.#isExact) this.#isBehind = true
    this.#shown = value
    this.#alignment = this.#isBehind ? alignment : align(value, value)
    run(() => {
      for (const { index, length } of deletions) text.delete(index, length)
      if (insert) text.insert(insertAt, insert)
    })
    return splice
  }

  /** Takes back what changed in the element. The selection is lost. */
  revert(): void {
    writeValue(this.element, this.#shown)
  }

  /**
   * Shows the shared text as it is now, and in it what the element is ahead by, with the caret behind that. Otherwise the
   * selection is lost where something changed.
   */
  show(): Splice | null {
    const { element } = this
    this.#isBehind = false
    const before = this.#shown
    const ahead = findSplice(before, element.value, element.selectionEnd ?? 0)
    const from = ahead && toShared(this.#alignment, ahead.index, 'before')
    const to = ahead && toShared(this.#alignment, ahead.index + ahead.remove, 'before')
    const shared = readText(this.text)
    const rendered = renderText(element, shared)
    this.#isExact = rendered === shared
    if (rendered !== before) {
      writeValue(element, rendered)
      this.#shown = element.value
    }
    this.#alignment = align(this.#shown, shared)
    const splice = findSplice(before, this.#shown, 0)
    if (splice && ahead) this.#goAhead(this.toShown(from ?? 0), this.toShown(to ?? 0), ahead.insert)
    return splice
  }

  #goAhead(index: number, end: number, insert: string): void {
    writeValue(this.element, applySplice(this.#shown, { index, remove: end - index, insert }))
    const caret = index + insert.length
    writeSelection(this.element, { anchor: caret, head: caret })
  }
}

function isSame(a: Selection, b: Selection | null): boolean {
  return a.anchor === b?.anchor && a.head === b.head
}
