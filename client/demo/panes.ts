import * as Y from 'yjs'
import { find } from './find.ts'
import { haunt } from './ghost.ts'
import { type Identity, recallIdentity } from './identity.ts'
import { openPane, type Pane, type Place } from './pane.ts'

/** The editors of the page: one, or two that are as separate as those of two people. */
export class Panes {
  readonly #place: Place
  /** A pane as the page came with it, not in the page. */
  readonly #blank: HTMLElement
  readonly #firstIdentity: Identity
  readonly first: Pane
  #second: Pane | undefined
  #cursorsHidden = false
  /** Ends the ghost's typing in the second pane. */
  #endGhost: (() => void) | undefined

  /** @param element the pane of the page, which becomes the first editor */
  static open(element: HTMLElement, place: Place): Panes {
    const blank = document.importNode(element, true)
    const identity = recallIdentity('first')
    return new Panes(place, blank, identity, openPane(element, place, 'first', identity))
  }

  private constructor(place: Place, blank: HTMLElement, firstIdentity: Identity, first: Pane) {
    this.#place = place
    this.#blank = blank
    this.#firstIdentity = firstIdentity
    this.first = first
  }

  get areTwo(): boolean {
    return this.#second !== undefined
  }

  openSecond(): void {
    if (this.#second !== undefined) return
    const element = document.importNode(this.#blank, true)
    element.setAttribute('aria-label', 'Second editor')
    find(element, 'textarea', HTMLTextAreaElement).placeholder =
      'What you type in the other editor appears here at once.'
    this.first.element.after(element)
    this.#second = openPane(element, this.#place, 'second', recallIdentity('second', this.#firstIdentity))
    this.#applyHidden()
    if (this.first.connection.state.synced && this.first.connection.text.length === 0) this.#haunt(this.#second)
  }

  closeSecond(): void {
    if (this.#second === undefined) return
    // What only the second editor has, because it worked offline, must not go with it.
    Y.applyUpdate(this.first.connection.doc, Y.encodeStateAsUpdate(this.#second.connection.doc))
    this.#endGhost?.()
    this.#second.close()
    this.#second = undefined
  }

  get cursorsHidden(): boolean {
    return this.#cursorsHidden
  }

  set cursorsHidden(hidden: boolean) {
    this.#cursorsHidden = hidden
    this.#applyHidden()
  }

  #haunt(pane: Pane): void {
    this.#endGhost = haunt(pane, [this.first], () => {
      this.#endGhost = undefined
      this.#applyHidden()
    })
    this.#applyHidden()
  }

  #applyHidden(): void {
    this.first.overlay.hidden = this.#cursorsHidden
    // The first editor's caret stands where the ghost begins.
    if (this.#second !== undefined) this.#second.overlay.hidden = this.#cursorsHidden || this.#endGhost !== undefined
  }
}
