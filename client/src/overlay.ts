import type { Awareness } from 'y-protocols/awareness'
import { Announcer } from './announcer.ts'
import { Cover, type TextLayout } from './cover.ts'
import { addBlock } from './geometry.ts'
import { Marker } from './marker.ts'
import { Mirror } from './mirror.ts'
import { type Presence, watchPresence } from './presence.ts'
import { type ShownCursor, ShownCursors } from './shown-cursors.ts'
import type { ShownText } from './shown-text.ts'
import type { Splice } from './splice.ts'

export interface OverlayOptions {
  /**
   * Whether users of screen readers are told who joins and who leaves. Default: true. Of several overlays in a page
   * one should tell.
   */
  readonly announce?: boolean
}

export interface Overlay {
  /** Whether nothing is drawn. May be switched at any time. */
  hidden: boolean
  /** Takes away all that was added to the page, and every listener. */
  destroy(): void
}

/**
 * Draws the carets, selections and names of the others over the element of a binding. It adds one element to the page,
 * the next sibling of the binding's, which takes no space and lets clicks through.
 */
export function showPeers(shown: ShownText, awareness: Awareness, options: OverlayOptions = {}): Overlay {
  const overlay = new PeerOverlay(shown, watchPresence(awareness), options)
  overlay.start()
  return overlay
}

class PeerOverlay implements Overlay {
  readonly #shown: ShownText
  readonly #presence: Presence
  readonly #cover: Cover
  readonly #cursors: ShownCursors
  readonly #announcer: Announcer | null
  /** Those in view, by client id. */
  readonly #markers = new Map<number, Marker>()
  readonly #listening = new AbortController()
  /** Made for the first cursor: for a long text it takes some 0.1 s. */
  #mirror: Mirror | null = null
  /** Null from a change of the text or of peers until they are looked for. */
  #found: readonly ShownCursor[] | null = null
  #hidden = false
  #endShown = () => {}

  constructor(shown: ShownText, presence: Presence, { announce = true }: OverlayOptions) {
    this.#shown = shown
    this.#presence = presence
    this.#cover = new Cover(shown.element, (layout) => this.#draw(layout))
    this.#cursors = new ShownCursors(shown)
    this.#announcer = announce ? new Announcer(this.#cover.root, presence) : null
  }

  get hidden(): boolean {
    return this.#hidden
  }

  set hidden(hidden: boolean) {
    this.#hidden = hidden
    this.#cover.refresh()
  }

  start(): void {
    const options = { signal: this.#listening.signal }
    const element: HTMLElement = this.#shown.element
    element.addEventListener('pointermove', (event) => this.#point(event), options)
    element.addEventListener('pointerleave', () => this.#point(null), options)
    this.#endShown = this.#shown.onShown((splice) => this.#onShown(splice))
    this.#presence.subscribe(() => this.#lookAgain())
    this.#announcer?.start()
    this.#cover.start()
  }

  destroy(): void {
    this.#listening.abort()
    this.#endShown()
    this.#presence.destroy()
    this.#announcer?.stop()
    this.#cover.stop()
  }

  #onShown(splice: Splice): void {
    this.#mirror?.splice(splice)
    this.#lookAgain()
  }

  #lookAgain(): void {
    this.#found = null
    this.#cover.refresh()
  }

  #draw(layout: TextLayout): void {
    const drawn = this.#hidden ? [] : this.#drawCursors(layout)
    for (const [clientId, marker] of this.#markers) {
      if (drawn.includes(clientId)) continue
      marker.remove()
      this.#markers.delete(clientId)
    }
  }

  /** Returns the client ids of those in view. */
  #drawCursors(layout: TextLayout): number[] {
    this.#found ??= this.#cursors.find(this.#presence.peers)
    if (this.#found.length === 0) return []
    const mirror = this.#measure(layout)
    const surroundings = { names: [], view: layout.view }
    const drawn: number[] = []
    for (const cursor of this.#found) {
      const { anchor, head, peer } = cursor
      const caret = mirror.caret(head)
      const selection = mirror.selection(Math.min(anchor, head), Math.max(anchor, head))
      if (caret === null && selection.length === 0) continue
      this.#markerOf(cursor).draw(caret, selection, surroundings)
      drawn.push(peer.clientId)
    }
    return drawn
  }

  #measure(layout: TextLayout): Mirror {
    const { localName, value } = this.#shown.element
    this.#mirror ??= new Mirror(addBlock(this.#cover.text, `mirror ${localName}`), value)
    // Written to by others, and not noticed yet.
    if (this.#mirror.length !== value.length) this.#mirror.write(value)
    this.#mirror.wear(layout)
    return this.#mirror
  }

  #markerOf(cursor: ShownCursor): Marker {
    const { clientId } = cursor.peer
    const marker = this.#markers.get(clientId) ?? new Marker(this.#cover)
    this.#markers.set(clientId, marker)
    marker.show(cursor)
    return marker
  }

  #point(pointer: PointerEvent | null): void {
    for (const marker of this.#markers.values()) marker.point(pointer)
  }
}
