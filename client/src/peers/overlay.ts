import type { Awareness } from 'y-protocols/awareness'
import type { ShownText } from '../binding/shown-text.ts'
import { raw } from '../common/raw.ts'
import { takePlace } from '../common/take-place.ts'
import { Cover } from './cover.ts'
import { drawCursors } from './drawing.ts'
import { addBlock, type Box, boxStyle, intersection } from './geometry.ts'
import { Mirror, type TextLayout } from './mirror.ts'
import { type Peer, readPeers } from './peer.ts'
import { type ShownCursor, ShownCursors } from './shown-cursors.ts'

/** How far from a caret a pointer still points at it, in px of the viewport. */
const POINTING_DISTANCE = 6

export interface Overlay {
  /** Whether nothing is drawn. May be switched at any time. */
  hidden: boolean
  /**
   * Scrolls the element, and the page where it must, to the caret of a peer, and shows its name. Does nothing where
   * that peer has no caret in this text.
   */
  reveal(clientId: number): void
  /** Takes away all that was added to the page, and every listener. */
  destroy(): void
}

/**
 * Draws the carets, selections and names of the others over the element of a binding. It adds one element to the page,
 * the next sibling of the binding's, which takes no space and lets clicks through. A later overlay of the same element
 * takes the place of the earlier.
 */
export function showPeers(shown: ShownText, awareness: Awareness): Overlay {
  const overlay = new PeerOverlay(shown, awareness)
  overlay.start()
  return overlay
}

class PeerOverlay implements Overlay {
  readonly #shown: ShownText
  readonly #awareness: Awareness
  readonly #cursors: ShownCursors
  readonly #cover: Cover
  readonly #drawn: HTMLElement
  readonly #listening = new AbortController()
  #endShown: (() => void) | undefined
  /** It is made for the first cursor: for a long text that takes some 0.1 s. */
  #mirror: Mirror | undefined
  /** Undefined from a change of the text or of peers until they are looked for. */
  #found: readonly ShownCursor[] | undefined
  #pointer: PointerEvent | null = null
  #hidden = false
  /** The client id of whom the next drawing scrolls to. */
  #sought: number | undefined

  constructor(shown: ShownText, awareness: Awareness) {
    raw(this)
    this.#shown = shown
    this.#awareness = awareness
    this.#cursors = new ShownCursors(shown)
    this.#cover = new Cover(shown.element, (layout) => this.#draw(layout))
    this.#drawn = addBlock(this.#cover.node, '')
  }

  get hidden(): boolean {
    return this.#hidden
  }

  set hidden(hidden: boolean) {
    this.#hidden = hidden
    this.#cover.refresh()
  }

  reveal(clientId: number): void {
    this.#sought = clientId
    this.#lookAgain()
  }

  start(): void {
    const { signal } = this.#listening
    const element: HTMLElement = this.#shown.element
    signal.addEventListener(
      'abort',
      takePlace(element, 'overlay', () => this.destroy()),
    )
    element.addEventListener('pointermove', (event) => this.#point(event), { signal })
    element.addEventListener('pointerleave', () => this.#point(null), { signal })
    this.#awareness.on('change', this.#lookAgain)
    this.#endShown = this.#shown.onShown(this.#lookAgain)
    this.#cover.start()
  }

  destroy(): void {
    this.#listening.abort()
    this.#awareness.off('change', this.#lookAgain)
    this.#endShown?.()
    this.#cover.stop()
  }

  readonly #lookAgain = (): void => {
    this.#found = undefined
    this.#cover.refresh()
  }

  #point(pointer: PointerEvent | null): void {
    this.#pointer = pointer
    this.#cover.refresh()
  }

  #draw(layout: TextLayout): void {
    this.#found ??= this.#cursors.find(readPeers(this.#awareness), this.#sought)
    const sought = this.#found.find(({ peer }) => peer.clientId === this.#sought)
    this.#sought = undefined
    this.#drawn.replaceChildren()
    if (this.#found.length === 0 || !(sought || (layout.view && !this.#hidden))) return
    const { localName, value } = this.#shown.element
    this.#mirror ??= new Mirror(this.#cover.node, localName, layout)
    this.#mirror.update(value, layout)
    if (sought) this.#scrollTo(this.#mirror.caret(sought.head), layout)
    if (this.#hidden) return
    const onSought = ({ clientId }: Peer) => this.reveal(clientId)
    drawCursors(this.#drawn, this.#found, this.#mirror, layout, this.#pointed(layout), onSought)
  }

  /** The scrolling calls for another drawing. */
  #scrollTo(caret: Box | null, { width, height }: TextLayout): void {
    if (caret === null) return
    const { element } = this.#shown
    const { scrollLeft, scrollTop } = element
    if (!intersection(caret, { x: 0, y: 0, width, height })) {
      element.scrollBy({ left: caret.x - width / 2, top: caret.y - height / 2, behavior: 'instant' })
    }
    // What is around the element scrolls to a mark where the caret is now.
    const x = caret.x + scrollLeft - element.scrollLeft
    const y = caret.y + scrollTop - element.scrollTop
    const mark = addBlock(this.#cover.node, '', boxStyle({ ...caret, x, y }))
    mark.scrollIntoView({ block: 'nearest', inline: 'nearest' })
    mark.remove()
  }

  /** What the pointer points at, with some room to its sides. */
  #pointed({ toLocal }: TextLayout): Box | null {
    const { clientX, clientY: y } = this.#pointer ?? {}
    if (clientX === undefined || y === undefined) return null
    return toLocal({ x: clientX - POINTING_DISTANCE, y, width: 2 * POINTING_DISTANCE, height: 0 })
  }
}
