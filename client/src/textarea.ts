import type { Awareness } from 'y-protocols/awareness'
import * as Y from 'yjs'
import { Cursor } from './cursor.ts'
import { ClientError } from './errors.ts'
import { assertTextElement, isEditable } from './field.ts'
import { Listeners } from './listeners.ts'
import { NextFrame } from './next-frame.ts'
import { reveal } from './scrolling.ts'
import { findSelection, type KeptSelection, keepSelection, readSelection, type Selection } from './selection.ts'
import { Shadow } from './shadow.ts'
import type { ShownText, TextElement } from './shown-text.ts'
import type { Splice } from './splice.ts'
import { type Author, type EditKind, editKind, History, type HistoryCommand, historyInput, historyKey } from './undo.ts'

export interface BindingOptions {
  /**
   * Announces the selection to others as the field `cursor` of the local state: `{ anchor, head }`, Yjs relative
   * positions. It stays announced while the element has no focus, until another binding of this awareness gets it.
   */
  readonly awareness?: Awareness | undefined
  /**
   * Shared by several bindings, say; this one adds itself to its tracked origins. One of its own unless given, which
   * is destroyed with the binding.
   */
  readonly undoManager?: Y.UndoManager | undefined
  /**
   * Sets `element.readOnly`. That, and `disabled`, may be switched at any time: while people cannot edit the element,
   * there is no undo either, and what other code writes is reverted.
   */
  readonly readOnly?: boolean | undefined
  /** What a write to `element.value` by other code, or by the browser's autofill, is: 'take' (default) makes it an edit. */
  readonly foreignWrites?: 'take' | 'revert' | undefined
  /** A reset of the element's form: 'revert' (default) keeps the shared text, 'take' makes it an edit for everybody. */
  readonly reset?: 'take' | 'revert' | undefined
}

export interface TextareaBinding extends ShownText {
  readonly undoManager: Y.UndoManager
  /** Takes back the last step made through this binding, nobody else's. Does nothing when there is none. */
  undo(): void
  redo(): void
  /** Ends the binding: no listener is left, the element keeps its text, others see no selection of it. */
  destroy(): void
}

/**
 * Shows a shared text in a textarea or a text-like input and makes what is typed there an edit of the shared text. What
 * the element holds at this moment is replaced. Several bindings of one text are fine.
 *
 * What others do is shown once per animation frame, and raises an `input` event that is not trusted.
 *
 * Throws ELEMENT_UNSUITABLE for other elements and types, TEXT_DETACHED for a text that belongs to no document.
 */
export function bindTextarea(element: TextElement, text: Y.Text, options: BindingOptions = {}): TextareaBinding {
  assertTextElement(element)
  if (text.doc === null) throw new ClientError('TEXT_DETACHED', 'the text belongs to no document')
  const binding = new Binding(element, text, text.doc, options)
  binding.start()
  return binding
}

/** Decides when the element is read and written, and whose an edit is. */
class Binding implements TextareaBinding, Author {
  readonly element: TextElement
  readonly text: Y.Text
  readonly #doc: Y.Doc
  readonly #options: BindingOptions
  readonly #shadow: Shadow
  readonly #history: History
  readonly #cursor: Cursor | null
  readonly #frame: NextFrame
  readonly #onShown = new Listeners<Splice>()
  readonly #listening = new AbortController()
  /** Why nothing is written to the element: that breaks a composition, even behind the caret. */
  #pause: 'composition' | 'reset' | null = null
  #selectionBeforeInput: Selection | null = null
  #ownInput: Event | null = null
  #restoreAttributes: () => void = () => undefined

  constructor(element: TextElement, text: Y.Text, doc: Y.Doc, options: BindingOptions) {
    this.element = element
    this.text = text
    this.#doc = doc
    this.#options = options
    this.#shadow = new Shadow(element, text)
    this.#history = new History(text, this, options.undoManager)
    this.#cursor = options.awareness ? new Cursor(options.awareness) : null
    this.#frame = new NextFrame(element.ownerDocument, () => this.#onFrame())
  }

  start(): void {
    this.#restoreAttributes = takeAttributes(this.element, this.#options.readOnly)
    this.#listen()
    this.#history.start()
    this.text.observe(this.#onSharedChange)
    this.#shadow.show()
    this.#frame.request()
  }

  destroy(): void {
    this.#listening.abort()
    this.#frame.cancel()
    this.text.unobserve(this.#onSharedChange)
    this.#history.destroy()
    this.#cursor?.withdraw()
    this.#onShown.clear()
    this.#restoreAttributes()
  }

  get undoManager(): Y.UndoManager {
    return this.#history.manager
  }

  undo(): void {
    this.#runHistory('undo')
  }

  redo(): void {
    this.#runHistory('redo')
  }

  toShown(index: number): number {
    return this.#shadow.toShown(index)
  }

  onShown(listener: (splice: Splice) => void): () => void {
    return this.#onShown.add(listener)
  }

  keepSelection(): KeptSelection | null {
    const { selection } = this.#shadow
    return selection && keepSelection(this.text, selection)
  }

  onHistory(kept: KeptSelection | null): void {
    this.#show()
    const selection = kept && findSelection(this.text, kept)
    if (selection === null || this.#pause !== null) return
    this.#shadow.select(selection)
    reveal(this.element, this.toShown(selection.direction === 'backward' ? selection.start : selection.end))
  }

  #listen(): void {
    const element: HTMLElement = this.element
    const { ownerDocument } = element
    const options = { signal: this.#listening.signal }
    const on = (target: EventTarget | null, types: readonly string[], listener: () => void) => {
      for (const type of types) target?.addEventListener(type, listener, options)
    }
    element.addEventListener('beforeinput', (event) => this.#onBeforeInput(event), options)
    element.addEventListener('input', (event) => this.#onInput(event), options)
    element.addEventListener('keydown', (event) => this.#onKeydown(event), options)
    on(element, ['compositionstart'], () => this.#onCompositionStart())
    on(element, ['compositionend', 'blur'], () => this.#endComposition())
    on(element, ['focus', 'blur', 'change', 'selectionchange'], () => this.#onSign())
    on(ownerDocument, ['selectionchange'], () => this.#onSign())
    on(ownerDocument, ['visibilitychange'], () => this.#frame.flush())
    on(ownerDocument.defaultView, ['pagehide'], () => this.#cursor?.withdraw())
    on(ownerDocument.defaultView, ['pageshow'], () => this.#frame.request())
    this.#listenForReset()
  }

  /** The event does not leave a shadow tree, and the element may have been moved. To add a listener again does nothing. */
  #listenForReset(): void {
    this.element.getRootNode().addEventListener('reset', this.#onReset, { signal: this.#listening.signal })
  }

  #onBeforeInput(event: InputEvent): void {
    this.#takeForeignWrite()
    this.#selectionBeforeInput = readSelection(this.element)
    this.#onCommand(historyInput(event.inputType), event)
  }

  /** The browser raises no `beforeinput` when its own history is empty, which says nothing about ours. */
  #onKeydown(event: KeyboardEvent): void {
    if (event.isComposing) return
    this.#endComposition()
    this.#onCommand(historyKey(event), event)
  }

  /** The browser's own history knows nothing of remote changes and would corrupt the text. */
  #onCommand(command: HistoryCommand | null, event: Event): void {
    if (command === null) return
    event.preventDefault()
    this.#runHistory(command)
  }

  #onInput(event: Event): void {
    if (event === this.#ownInput || this.#pause === 'reset') return
    // Other code, and autofill, say no type.
    const inputType = 'inputType' in event && typeof event.inputType === 'string' ? event.inputType : ''
    if (this.#pause === 'composition') this.#takeEdit('composition')
    else if (inputType === '') this.#takeForeignWrite()
    else this.#takeEdit(editKind(inputType))
  }

  #onCompositionStart(): void {
    this.#takeForeignWrite()
    this.#history.seal()
    this.#pause = 'composition'
  }

  /** Chromium raises no `compositionend` when a composition is deleted as a whole, so this is called by other signs too. */
  #endComposition(): void {
    if (this.#pause !== 'composition') return
    this.#takeEdit('composition')
    this.#pause = null
    this.#history.seal()
    this.#show()
  }

  /** Resetting a form must not empty the text for everybody. The event comes before the form changes its fields. */
  readonly #onReset = (event: Event): void => {
    const { element } = this
    if (event.target !== element.form) return
    const selection = readSelection(element)
    const { scrollTop } = element
    this.#pause = 'reset'
    setTimeout(() => {
      if (this.#listening.signal.aborted) return
      this.#pause = null
      if (this.#options.reset !== 'take') {
        this.#shadow.revert(selection)
        element.scrollTop = scrollTop
      }
      this.#show()
    })
  }

  /** Something happened at the element: it may have been written to, focused or moved, or its selection changed. */
  #onSign(): void {
    this.#takeForeignWrite()
    this.#listenForReset()
    if (this.#cursor) this.#frame.request()
  }

  readonly #onSharedChange = (event: Y.YTextEvent, transaction: Y.Transaction): void => {
    if (transaction.origin === this) return
    this.#shadow.fallBehind(event)
    this.#frame.request()
  }

  #onFrame(): void {
    this.#show()
    this.#cursor?.announce(this.keepSelection(), this.element.matches(':focus'))
  }

  #runHistory(command: HistoryCommand): void {
    this.#endComposition()
    this.#takeForeignWrite()
    if (!isEditable(this.element)) return
    this.#history.run(command)
    this.#show()
  }

  #takeForeignWrite(): void {
    if (this.#pause !== null || !this.#shadow.isAhead) return
    if (this.#options.foreignWrites === 'revert') this.#shadow.revert(readSelection(this.element))
    else this.#takeEdit('single')
  }

  #takeEdit(kind: EditKind): void {
    const before = this.#selectionBeforeInput
    this.#selectionBeforeInput = null
    if (!isEditable(this.element)) {
      this.#shadow.revert(readSelection(this.element))
      return
    }
    const kept = before && keepSelection(this.text, this.#shadow.toShared(before))
    const edit = this.#shadow.takeEdit(before)
    if (edit === null) return
    this.#history.record(kind, kept, () => Y.transact(this.#doc, edit.apply, this))
    this.#onShown.notify(edit.splice)
    if (this.#shadow.isBehind || this.#cursor) this.#frame.request()
  }

  #show(): void {
    if (this.#pause !== null) return
    this.#takeForeignWrite()
    if (!this.#shadow.isBehind) return
    const splice = this.#shadow.show()
    if (splice === null) return
    this.#onShown.notify(splice)
    this.#ownInput = new Event('input', { bubbles: true, composed: true })
    this.element.dispatchEvent(this.#ownInput)
  }
}

/** Sets what the element must have while it is bound. Returns what gives it back its own. */
function takeAttributes(element: TextElement, readOnly: boolean | undefined): () => void {
  const autocomplete = element.getAttribute('autocomplete')
  const wasReadOnly = element.readOnly
  // Otherwise the browser writes what it remembers of the form into it after a reload.
  element.autocomplete = 'off'
  if (readOnly !== undefined) element.readOnly = readOnly
  return () => {
    if (autocomplete === null) element.removeAttribute('autocomplete')
    else element.setAttribute('autocomplete', autocomplete)
    if (readOnly !== undefined) element.readOnly = wasReadOnly
  }
}
