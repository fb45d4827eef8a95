import { bindTextarea, type TextareaBinding } from '@coedit/client'
import * as Y from 'yjs'

/** A bound textarea, and another editor whose edits arrive when the test says so. Runs in the browser. */
export class Scene {
  readonly element: HTMLTextAreaElement
  readonly mine: Y.Text
  readonly theirs: Y.Text
  readonly binding: TextareaBinding
  /** The delta of each change of `mine`. */
  readonly deltas: unknown[] = []

  constructor(text: string) {
    this.mine = new Y.Doc().getText('content')
    this.theirs = new Y.Doc().getText('content')
    this.mine.insert(0, text)
    this.exchange()
    this.element = document.createElement('textarea')
    this.element.id = 'text'
    document.body.replaceChildren(this.element)
    this.binding = bindTextarea(this.element, this.mine)
    this.element.focus()
    this.mine.observe((event) => this.deltas.push(event.delta))
  }

  /** The other one's edit, delivered at once; what `mine` has since the last exchange is not known there. */
  remotely(edit: (text: Y.Text) => void): void {
    const doc = documentOf(this.theirs)
    doc.transact(() => edit(this.theirs))
    deliver(doc, documentOf(this.mine))
  }

  /** Replaces a range of their text, at a place between 0 and 1, that cuts no character. */
  replaceRemotely({ at, length, insert }: { at: number; length: number; insert: string }): void {
    this.remotely((text) => {
      const [start, end] = wholeCharacters(text.toString(), at, length)
      text.delete(start, end - start)
      text.insert(start, insert)
    })
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

  get selection(): [number, number, string] {
    const { selectionStart, selectionEnd, selectionDirection } = this.element
    return [selectionStart, selectionEnd, selectionDirection]
  }
}

/** The ends of a range of `length` characters, which takes up at most what there is. */
function wholeCharacters(text: string, at: number, length: number): [number, number] {
  const characters = [...text]
  const first = Math.floor(at * characters.length)
  const start = characters.slice(0, first).join('').length
  return [start, start + characters.slice(first, first + length).join('').length]
}

function documentOf(text: Y.Text): Y.Doc {
  if (text.doc === null) throw new Error('a text without a document')
  return text.doc
}

function deliver(from: Y.Doc, to: Y.Doc): void {
  Y.applyUpdate(to, Y.encodeStateAsUpdate(from, Y.encodeStateVector(to)), 'delivery')
}
