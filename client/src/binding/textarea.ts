import type * as Y from 'yjs'
import { Listeners } from '../common/listeners.ts'
import { raw } from '../common/raw.ts'
import { takePlace } from '../common/take-place.ts'
import { type AnnouncedCursor, cursorIn } from './announced-cursor.ts'
import type { BindingOptions, TextareaBinding } from './binding.ts'
import { assertSharedText, assertTextElement, hasFocus, isEditable, readSelection } from './field.ts'
import { type NextFrame, nextFrame } from './next-frame.ts'
import type { KeptSelection, Selection } from './selection.ts'
import { Shadow } from './shadow.ts'
import type { TextElement } from './shown-text.ts'
import type { Splice } from './splice.ts'
import {
  type Author,
  type EditKind,
  editKind,
  type History,
  type HistoryCommand,
  historyInput,
  historyKey,
  openHistory,
} from './undo.ts'
import { View } from './view.ts'

/**
 * Shows a shared text in a textarea or a text-like input and makes what is typed there an edit of the shared text. What
 * the element holds at this moment is replaced. Several elements may show one text; an element has one binding, and a
 * later one takes the place of the earlier, which it destroys.
 *
 * What others do is shown once per animation frame, and raises an `input` event that is not trusted.
 *
 * Throws ELEMENT_UNSUITABLE for other elements and types, and for null, and TEXT_UNSUITABLE for what is no text of a
 * document or one of another copy of Yjs.
 */
export function bindTextarea(element: Element | null, text: Y.Text, options: BindingOptions = {}): TextareaBinding {
  assertTextElement(element)
  assertSharedText(text)
  const binding = new Binding(element, text, options)
  binding.start()
  return binding
}

/** How long the element rests after what others did was shown, so that people can type in a text of any length. */
const REST = 3

/**
 * How long a composition has to rest until what others did is shown, which may end it, in ms: some input methods keep the
 * last word open for ever.
 */
const COMPOSITION_REST_MS = 4000

/** Decides when the element is read and written, and whose an edit is. */
class Binding implements TextareaBinding, Author {
  readonly element: TextElement
  readonly text: Y.Text
  readonly #options: BindingOptions
  readonly #shadow: Shadow
  readonly #view: View
  readonly #history: History
  readonly #cursor: AnnouncedCursor | undefined
  /** Shows what others did. */
  readonly #showing: NextFrame
  readonly #announcing: NextFrame
  readonly #listeners = new Listeners<Splice>()
  readonly #ended = new AbortController()
  /** Why nothing is written to the element now: a write breaks a composition, or a selection that the mouse makes. */
  #pause: 'composition' | 'mouse' | 'reset' | null = null
  #selectionBeforeInput: Selection | null = null
  #composing: ReturnType<typeof setTimeout> | undefined

  constructor(element: TextElement, text: Y.Text, options: BindingOptions) {
    raw(this)
    this.element = element
    this.text = text
    this.#options = options
    this.#shadow = new Shadow(element, text)
    this.#view = new View(element)
    this.#history = openHistory(text, this, options.undoManager)
    this.#cursor = options.awareness && cursorIn(options.awareness)
    const show = () => {
      this.#show()
      // The layout is a part of what it costs to show something.
      element.getBoundingClientRect()
    }
    this.#showing = nextFrame(element.ownerDocument, () => this.#unlessEnded(show), REST)
    this.#announcing = nextFrame(element.ownerDocument, () => this.#unlessEnded(() => this.#announce()))
  }

  start(): void {
    const leave = takePlace(this.element, 'binding', () => this.destroy())
    this.#ended.signal.addEventListener('abort', leave)
    this.#setAttributes()
    this.#listen()
    this.text.observe(this.#onSharedChange)
    this.#write(() => {})
    this.#view.start()
    this.#onSign()
  }

  destroy(): void {
    if (this.#ended.signal.aborted) return
    this.#ended.abort()
    clearTimeout(this.#composing)
    this.text.unobserve(this.#onSharedChange)
    this.#history.destroy()
    this.#cursor?.withdraw()
    this.#listeners.clear()
    this.#view.destroy()
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
    return this.#listeners.add(listener)
  }

  keepSelection(): KeptSelection | null {
    return this.#shadow.keepSelection()
  }

  onHistory(kept: KeptSelection | null): void {
    this.#show()
    if (this.#pause !== null || kept === null) return
    this.#shadow.restoreSelection(kept)
    this.#view.reveal(this.#shadow.findSelection(kept).head)
  }

  #setAttributes(): void {
    const { element } = this
    const { autocomplete, readOnly } = element
    const { readOnly: wanted } = this.#options
    // Otherwise the browser writes into the element what it remembers of the form, after a reload.
    element.autocomplete = 'off'
    if (wanted !== undefined) element.readOnly = wanted
    this.#ended.signal.addEventListener('abort', () => {
      element.autocomplete = autocomplete
      if (wanted !== undefined) element.readOnly = readOnly
    })
  }

  #listen(): void {
    const { element } = this
    const { ownerDocument } = element
    // Events are captured: the application may stop them on their way, and its listeners find the shared text edited.
    const options = { signal: this.#ended.signal, capture: true }
    const on = (target: EventTarget | null, types: string, listener: (event: Event) => void) => {
      for (const type of types.split(' ')) target?.addEventListener(type, listener, options)
    }
    // The window hears of an event before whoever stops it on its way, and the element of one in a closed shadow tree.
    const onElement = (types: string, listener: (event: Event) => void) => {
      const heard = new WeakSet<Event>()
      const once = (event: Event) => {
        if (event.composedPath()[0] !== element || heard.has(event)) return
        heard.add(event)
        listener(event)
      }
      on(ownerDocument.defaultView, types, once)
      on(element, types, once)
    }
    onElement('beforeinput', (event) => this.#onBeforeInput(event))
    onElement('input', (event) => this.#onInput(event))
    onElement('keydown', (event) => this.#onKeydown(event))
    onElement('mousedown', (event) => this.#onMousedown(event))
    onElement('compositionstart', () => this.#onCompositionStart())
    onElement('compositionstart compositionupdate keydown input', () => this.#awaitRest())
    onElement('compositionend blur', () => this.#resume())
    on(ownerDocument, 'mouseup dragend', () => this.#resume())
    onElement('focus', () => this.#shadow.selectOwed())
    onElement('focus blur change selectionchange', () => this.#onSign())
    on(ownerDocument, 'selectionchange', () => this.#onSign())
    on(ownerDocument, 'visibilitychange', () => {
      this.#showing.flush()
      this.#announcing.flush()
    })
    on(ownerDocument.defaultView, 'pageshow', () => this.#onSign())
    on(ownerDocument.defaultView, 'pagehide', () => this.#cursor?.withdraw())
  }

  #onBeforeInput(event: Event): void {
    this.#takeForeignWrite()
    // Of a composition that is taken as a whole, the one before it.
    if (!this.#isHeld) this.#selectionBeforeInput = readSelection(this.element)
    this.#onCommand(historyInput(event), event)
  }

  /** The browser raises no `beforeinput` when its own history is empty, which says nothing about ours. */
  #onKeydown(event: Event & Partial<KeyboardEvent>): void {
    if (event.isComposing) return
    this.#resume()
    this.#onCommand(historyKey(event), event)
  }

  /** The browser's own history knows nothing of remote changes and would corrupt the text. */
  #onCommand(command: HistoryCommand | null, event: Event): void {
    if (command === null) return
    event.preventDefault()
    this.#runHistory(command)
  }

  /** The event comes from people, whose edits have a type, and from autofill and other code, this binding included. */
  #onInput({ inputType }: Partial<InputEvent>): void {
    if (this.#isHeld) return
    if (this.#pause === 'composition') this.#takeEdit('composition')
    else if (inputType) this.#takeEdit(editKind(inputType))
    else this.#takeForeignWrite()
  }

  #onCompositionStart(): void {
    this.#takeForeignWrite()
    this.#history.seal()
    this.#selectionBeforeInput = readSelection(this.element)
    this.#pause = 'composition'
  }

  /** Whether what is composed is not to be sent yet. */
  get #isHeld(): boolean {
    return this.#pause === 'composition' && this.#options.compositions === 'finished'
  }

  #awaitRest(): void {
    clearTimeout(this.#composing)
    this.#composing = undefined
    if (this.#pause !== 'composition') return
    this.#composing = setTimeout(() => {
      this.#composing = undefined
      if (this.#pause !== 'composition' || !this.#shadow.isBehind) return
      if (this.#isHeld) this.#write(this.#tell)
      else this.#resume()
    }, COMPOSITION_REST_MS)
  }

  #onMousedown({ button }: Partial<MouseEvent>): void {
    this.#takeForeignWrite()
    if (button === 0) this.#pause ??= 'mouse'
  }

  /**
   * Nothing is composed or selected by mouse any more. Called by many signs: Chromium raises no `compositionend` when a
   * composition is deleted as a whole.
   */
  #resume(): void {
    if (this.#pause === null || this.#pause === 'reset') return
    if (this.#pause === 'composition') this.#takeEdit('composition')
    this.#history.seal()
    this.#pause = null
    this.#show()
  }

  /** Resetting a form must not empty the text for everybody. The event comes before the form changes its fields. */
  readonly #onReset = (event: Event): void => {
    if (event.target !== this.element.form) return
    const selection = readSelection(this.element)
    this.#pause = 'reset'
    setTimeout(() => {
      if (this.#ended.signal.aborted) return
      this.#pause = null
      if (this.#options.reset === 'take') this.#takeEdit('single')
      else this.#revert(selection)
      this.#show()
    })
  }

  /** Something happened to the element: it may have been written to, focused or moved, or its selection changed. */
  #onSign(): void {
    this.#takeForeignWrite()
    this.#announcing.request()
    // The event does not leave a shadow tree. A listener that is there already is not added again.
    this.element.getRootNode().addEventListener('reset', this.#onReset, { signal: this.#ended.signal })
  }

  readonly #onSharedChange = (event: Y.YTextEvent, transaction: Y.Transaction): void => {
    if (transaction.origin === this) return
    this.#shadow.fallBehind(event)
    this.#showing.request()
    if (this.#composing === undefined) this.#awaitRest()
  }

  #unlessEnded(task: () => void): void {
    if (!this.#ended.signal.aborted) task()
  }

  #announce(): void {
    this.#takeForeignWrite()
    // Places in what others do not have yet cannot be said.
    if (!this.#shadow.isAhead) this.#cursor?.announce(this.keepSelection(), hasFocus(this.element))
  }

  #runHistory(command: HistoryCommand): void {
    if (this.#ended.signal.aborted) return
    this.#resume()
    this.#takeForeignWrite()
    if (!isEditable(this.element)) return
    this.#history.run(command)
    this.#show()
  }

  #takeForeignWrite(): void {
    if (this.#pause !== null || !this.#shadow.isAhead) return
    if (this.#options.foreignWrites === 'revert') this.#revert()
    else this.#takeEdit('single')
  }

  #takeEdit(kind: EditKind): void {
    const selection = this.#selectionBeforeInput
    this.#selectionBeforeInput = null
    if (this.#pause === 'reset') return
    if (!isEditable(this.element)) {
      this.#revert()
      return
    }
    const before = selection && this.#shadow.keepSelection(selection)
    const splice = this.#shadow.takeEdit(selection, (edit) => {
      this.#history.record(kind, before, () => this.text.doc?.transact(edit, this))
    })
    if (splice === null) return
    this.#listeners.notify(splice)
    this.#announcing.request()
    if (this.#shadow.isBehind) this.#showing.request()
  }

  #revert(selection = readSelection(this.element)): void {
    const kept = this.#shadow.keepSelection(selection)
    this.#shadow.revert()
    if (kept && this.#shadow.restoreSelection(kept)) requestAnimationFrame(this.#view.keepScrolled())
  }

  #show(): void {
    if (this.#pause !== null) return
    this.#takeForeignWrite()
    if (this.#shadow.isBehind) this.#write(this.#tell)
  }

  readonly #tell = (splice: Splice): void => {
    this.#listeners.notify(splice)
    this.element.dispatchEvent(new Event('input', { bubbles: true, composed: true }))
  }

  /** Writes the shared text; selection and view stay on the characters they were on. `tell` tells of a change. */
  #write(tell: (splice: Splice) => void): void {
    const kept = this.#shadow.isAhead ? null : this.#shadow.keepSelection()
    const line = this.#view.firstLine()
    const first = line && this.#shadow.toShared(line.offset)
    const splice = this.#shadow.show()
    if (splice === null) return
    const offset = first && this.#shadow.toShown(first)
    const scrolls = kept !== null && this.#shadow.restoreSelection(kept)
    // The application may answer with another height of the element.
    tell(splice)
    if (line && offset !== null) this.#view.hold(line, offset)
    if (scrolls) requestAnimationFrame(this.#view.keepScrolled())
  }
}
