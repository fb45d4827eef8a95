import { Awareness } from 'y-protocols/awareness'
import * as Y from 'yjs'
import type { BindingOptions, TextareaBinding } from '../../../client/src/binding/binding.ts'
import type { TextElement } from '../../../client/src/binding/shown-text.ts'
import type { Splice } from '../../../client/src/binding/splice.ts'
import { bindTextarea } from '../../../client/src/binding/textarea.ts'
import { wholeCharacters } from './characters.ts'

export interface SceneOptions extends Omit<BindingOptions, 'awareness'> {
  /** An `<input>` of this type; a `<textarea>` unless given. */
  readonly input?: string
  readonly style?: string
  /** Whether the binding rests after what took long. Otherwise time stands still for it: on a busy machine all takes long. */
  readonly rests?: boolean
}

/** A bound element, and another editor whose edits arrive when the test says so. Runs in the browser. */
export class Scene {
  readonly element: TextElement
  readonly mine: Y.Text
  readonly theirs: Y.Text
  readonly awareness: Awareness
  readonly binding: TextareaBinding
  /** The delta of each change of `mine`. */
  readonly deltas: unknown[] = []
  /** What the binding said of the element's changes. */
  readonly splices: Splice[] = []

  constructor(text: string, { input, style = '', rests = false, ...options }: SceneOptions) {
    if (!rests) performance.now = () => 0
    this.mine = new Y.Doc().getText('content')
    this.theirs = new Y.Doc().getText('content')
    this.mine.insert(0, text)
    this.exchange()
    this.awareness = new Awareness(documentOf(this.mine))
    this.element = input === undefined ? document.createElement('textarea') : inputOf(input)
    this.element.id = 'text'
    this.element.style.cssText = style
    document.body.replaceChildren(this.element)
    this.binding = bindTextarea(this.element, this.mine, { ...options, awareness: this.awareness })
    this.element.focus()
    this.mine.observe((event) => this.deltas.push(event.delta))
    this.binding.onShown((splice) => this.splices.push(splice))
  }

  /**
   * The other one's edit, delivered at once; what `mine` has since the last exchange is not known there. Resolves when
   * it is shown.
   */
  remotely(edit: (text: Y.Text) => void): Promise<void> {
    const doc = documentOf(this.theirs)
    doc.transact(() => edit(this.theirs))
    deliver(doc, documentOf(this.mine))
    return nextFrame()
  }

  /** Replaces a range of their text, at a place between 0 and 1, that cuts no character. Delivered, but not shown yet. */
  replaceRemotely({ at, length, insert }: { at: number; length: number; insert: string }): void {
    void this.remotely((text) => {
      const [start, end] = wholeCharacters(text.toString(), at, length)
      text.delete(start, end - start)
      text.insert(start, insert)
    })
  }

  /** Replaces a range of the element's value in the same way, as code does that knows nothing of the binding. */
  overwrite({ at, length, insert }: { at: number; length: number; insert: string }): void {
    const { value } = this.element
    const [start, end] = wholeCharacters(value, at, length)
    this.element.value = value.slice(0, start) + insert + value.slice(end)
  }

  /** Selects a range of the element in the same way. */
  select({ at, length }: { at: number; length: number }): void {
    const [start, end] = wholeCharacters(this.element.value, at, length)
    this.element.setSelectionRange(start, end)
  }

  exchange(): void {
    deliver(documentOf(this.theirs), documentOf(this.mine))
    deliver(documentOf(this.mine), documentOf(this.theirs))
  }

  get selection(): [number | null, number | null, string | null] {
    const { selectionStart, selectionEnd, selectionDirection } = this.element
    return [selectionStart, selectionEnd, selectionDirection]
  }
}

/** Resolves after the tasks of the next animation frame. */
export function nextFrame(): Promise<void> {
  return new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)))
}

function inputOf(type: string): HTMLInputElement {
  const element = document.createElement('input')
  element.type = type
  return element
}

function documentOf(text: Y.Text): Y.Doc {
  if (text.doc === null) throw new Error('a text without a document')
  return text.doc
}

function deliver(from: Y.Doc, to: Y.Doc): void {
  Y.applyUpdate(to, Y.encodeStateAsUpdate(from, Y.encodeStateVector(to)), 'delivery')
}
