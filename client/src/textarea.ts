import * as Y from 'yjs'
import { Alignment } from './alignment.ts'
import { findSplice, type Splice } from './splice.ts'
import { readText, shownText } from './text.ts'
import { type HistoryCommand, historyInput, historyKey } from './undo.ts'

export interface TextareaBinding {
  /** Takes back the last edits made through this binding, nobody else's. Does nothing when there are none. */
  undo(): void
  redo(): void
  /** Ends the binding: no listener is left, and the element keeps its text. */
  destroy(): void
}

/**
 * Shows a shared text in a textarea and makes what is typed there an edit of the shared text. What the element holds at
 * this moment is replaced. The text must belong to a document; several bindings of one text are fine.
 */
export function bindTextarea(element: HTMLTextAreaElement, text: Y.Text): TextareaBinding {
  const binding = new Binding(element, text)
  binding.start()
  return binding
}

/**
 * Between two events the element may be behind the shared text (remote changes must wait while an input method composes)
 * or ahead of it (typed, not handled yet). So a local edit is found by comparing the element with what it showed before,
 * never with the shared text, and `#alignment` says where in the shared text it belongs.
 */
class Binding implements TextareaBinding {
  readonly #element: HTMLTextAreaElement
  readonly #text: Y.Text
  readonly #undoManager: Y.UndoManager
  readonly #listening = new AbortController()
  /** The element's value as it was last read or written here. */
  #shown = ''
  #alignment = Alignment.ofShown('')
  #selectionBeforeInput: { start: number; end: number } | undefined
  /** Whether the shared text has characters that a textarea shows otherwise. */
  #hasReturns = false
  #composing = false
  #resetting = false

  constructor(element: HTMLTextAreaElement, text: Y.Text) {
    this.#element = element
    this.#text = text
    this.#undoManager = new Y.UndoManager(text, { trackedOrigins: new Set([this]) })
  }

  start(): void {
    const options = { signal: this.#listening.signal }
    const element = this.#element
    element.addEventListener('beforeinput', (event) => this.#onBeforeInput(event), options)
    element.addEventListener('input', () => this.#onInput(), options)
    element.addEventListener('keydown', (event) => this.#onKeydown(event), options)
    element.addEventListener('compositionstart', () => this.#onCompositionStart(), options)
    element.addEventListener('compositionend', () => this.#endComposition(), options)
    element.addEventListener('blur', () => this.#endComposition(), options)
    element.ownerDocument.addEventListener('reset', (event) => this.#onReset(event), options)
    this.#text.observe(this.#onSharedChange)
    this.#shown = element.value
    this.#realign()
    this.#show()
  }

  undo(): void {
    this.#undoManager.undo()
  }

  redo(): void {
    this.#undoManager.redo()
  }

  destroy(): void {
    this.#listening.abort()
    this.#text.unobserve(this.#onSharedChange)
    this.#undoManager.destroy()
  }

  #onBeforeInput(event: InputEvent): void {
    this.#selectionBeforeInput = { start: this.#element.selectionStart, end: this.#element.selectionEnd }
    this.#runHistory(historyInput(event), event)
  }

  /** The browser raises no `beforeinput` when its own history is empty, which says nothing about ours. */
  #onKeydown(event: KeyboardEvent): void {
    if (!event.isComposing) this.#endComposition()
    this.#runHistory(historyKey(event), event)
  }

  /** The browser's own history knows nothing of remote changes and would corrupt the text. */
  #runHistory(command: HistoryCommand | null, event: Event): void {
    if (command === null) return
    event.preventDefault()
    if (command === 'undo') this.undo()
    else this.redo()
  }

  #onInput(): void {
    this.#takeLocalEdit()
    // A deletion may have made one line end of a return and a line feed.
    if (!this.#mustWait && this.#hasReturns) this.#show()
  }

  #onCompositionStart(): void {
    this.#composing = true
  }

  /** Chromium raises no `compositionend` when a composition is deleted as a whole, so this is called by other signs too. */
  #endComposition(): void {
    if (!this.#composing) return
    this.#composing = false
    this.#takeLocalEdit()
    this.#show()
  }

  /** Resetting a form must not empty the text for everybody. The event comes before the form changes its fields. */
  #onReset(event: Event): void {
    const element = this.#element
    if (event.target !== element.form) return
    const { selectionStart, selectionEnd, selectionDirection } = element
    this.#resetting = true
    setTimeout(() => {
      this.#resetting = false
      if (this.#listening.signal.aborted) return
      element.value = this.#shown
      element.setSelectionRange(selectionStart, selectionEnd, selectionDirection)
      this.#show()
    })
  }

  readonly #onSharedChange = (event: Y.YTextEvent, transaction: Y.Transaction): void => {
    if (transaction.origin === this) return
    this.#alignment = this.#alignment.editShared(event.delta)
    // An observer that edits the text in answer to an edit makes Yjs report the second edit in both deltas.
    if (this.#alignment.sharedLength !== this.#text.length) this.#realign()
    if (this.#mustWait) return
    this.#takeLocalEdit()
    this.#show()
  }

  /** Writing to the element breaks a composition, even behind the caret. */
  get #mustWait(): boolean {
    return this.#composing || this.#resetting
  }

  /** Makes what changed in the element since it was last read or written one edit of the shared text. */
  #takeLocalEdit(): void {
    if (this.#resetting) return
    const value = this.#element.value
    const splice = findSplice(this.#shown, value, {
      selection: this.#selectionBeforeInput,
      caret: this.#element.selectionEnd,
    })
    this.#selectionBeforeInput = undefined
    if (splice === null) return
    this.#shown = value
    this.#editShared(splice)
  }

  #editShared(splice: Splice): void {
    const { deletions, insertAt, alignment } = this.#alignment.editShown(splice)
    this.#alignment = alignment
    const edit = () => {
      for (const { index, length } of deletions) this.#text.delete(index, length)
      if (splice.insert !== '') this.#text.insert(insertAt, splice.insert)
    }
    if (this.#text.doc === null) throw new Error('the text belongs to no document')
    Y.transact(this.#text.doc, edit, this)
  }

  /** Shows the shared text as it is now, with the selection on the characters it was on. */
  #show(): void {
    const shared = readText(this.#text)
    const shown = shownText(shared)
    const alignment = Alignment.ofShown(shared)
    if (shown !== this.#shown) {
      const { start, end, direction } = this.#selectionIn(alignment)
      this.#element.value = shown
      this.#element.setSelectionRange(start, end, direction)
      this.#shown = shown
    }
    this.#alignment = alignment
    this.#hasReturns = shown !== shared
  }

  /** Text that comes in at a caret goes behind it, and text at either end of a selection stays out of it. */
  #selectionIn(next: Alignment): { start: number; end: number; direction: 'forward' | 'backward' | 'none' } {
    const { selectionStart, selectionEnd, selectionDirection } = this.#element
    const startSide = selectionStart === selectionEnd ? 'before' : 'after'
    const end = next.toShown(this.#alignment.toShared(selectionEnd, 'before'))
    const start = Math.min(end, next.toShown(this.#alignment.toShared(selectionStart, startSide)))
    return { start, end, direction: selectionDirection }
  }

  #realign(): void {
    const shared = readText(this.#text)
    const splice = findSplice(this.#shown, shownText(shared), { caret: this.#element.selectionEnd })
    this.#alignment = Alignment.ofStale(shared, splice)
  }
}
