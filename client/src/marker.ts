import { addBlock, type Box, setBox } from './geometry.ts'
import type { Cursor } from './peer.ts'
import type { ShownCursor } from './shown-cursors.ts'

/** How long a name is shown after its caret has moved, in milliseconds. */
const NAME_TIME = 3_000
/** As the style sheet has it, with a gap, in CSS px. */
const NAME_HEIGHT = 20
/** Names whose carets are closer than this are put above each other, in CSS px. */
const NAME_WIDTH = 120
/** How far from a caret a pointer still points at it, in CSS px. */
const POINTING_DISTANCE = 6

/** Where the parts of a marker are drawn. */
interface Layers {
  readonly text: HTMLElement
  readonly names: HTMLElement
}

interface Point {
  readonly x: number
  readonly y: number
}

interface Surroundings {
  /** The names placed before, by their corners. */
  readonly names: Point[]
  /** What is seen of the text. */
  readonly view: Box
}

/** The drawing of one peer's caret, selection and name. */
export class Marker {
  readonly #drawing: HTMLElement
  readonly #caret: HTMLElement
  readonly #name: HTMLElement
  readonly #showName: Animation
  readonly #selection: HTMLElement[] = []
  #cursor: Cursor | undefined

  constructor({ text, names }: Layers) {
    this.#drawing = addBlock(text, 'peer')
    this.#caret = addBlock(this.#drawing, 'caret')
    this.#name = addBlock(names, 'name')
    this.#name.dir = 'auto'
    this.#showName = this.#name.animate({ opacity: [1, 1] }, NAME_TIME)
  }

  /** Shows the peer's name, for a while when it has moved. */
  show({ peer, cursor }: ShownCursor): void {
    this.#name.textContent = peer.name
    for (const { style } of [this.#drawing, this.#name]) {
      style.setProperty('--color', peer.color)
      style.setProperty('--ink', peer.ink)
    }
    if (cursor === this.#cursor) return
    this.#cursor = cursor
    this.#showName.currentTime = 0
    this.#showName.play()
  }

  draw(caret: Box | null, selection: readonly Box[], surroundings: Surroundings): void {
    this.#caret.hidden = caret === null
    this.#name.hidden = caret === null
    if (caret !== null) {
      setBox(this.#caret, caret)
      this.#placeName(caret, surroundings)
    }
    while (this.#selection.length > selection.length) this.#selection.pop()?.remove()
    for (const [at, box] of selection.entries()) {
      this.#selection[at] ??= addBlock(this.#drawing, 'selection')
      setBox(this.#selection[at], box)
    }
  }

  /** Shows or hides the name by where a pointer is, in coordinates of the viewport; null when it is elsewhere. */
  point(pointer: { readonly clientX: number; readonly clientY: number } | null): void {
    const { left, right, top, bottom } = this.#caret.getBoundingClientRect()
    const isPointed =
      pointer !== null &&
      pointer.clientX >= left - POINTING_DISTANCE &&
      pointer.clientX <= right + POINTING_DISTANCE &&
      pointer.clientY >= top &&
      pointer.clientY <= bottom
    this.#name.classList.toggle('pointed', isPointed)
  }

  remove(): void {
    this.#drawing.remove()
    this.#name.remove()
  }

  /** Above the caret, or below where there is no room; to its left in the right half of the view; not over a name. */
  #placeName(caret: Box, { names, view }: Surroundings): void {
    const x = caret.x - view.x
    const y = freeHeight(x, caret.y - view.y, caret.height, names)
    names.push({ x, y })
    const isRight = x > view.width / 2
    const { style } = this.#name
    style.top = `${y}px`
    style.left = isRight ? '' : `${x - 1}px`
    style.right = isRight ? `${view.width - x - 1}px` : ''
  }
}

function freeHeight(x: number, top: number, height: number, names: readonly Point[]): number {
  const isFree = (y: number) =>
    names.every((name) => Math.abs(name.x - x) >= NAME_WIDTH || Math.abs(name.y - y) >= NAME_HEIGHT)
  for (let y = top - NAME_HEIGHT; y >= 0; y -= NAME_HEIGHT) if (isFree(y)) return y
  let below = top + height + 2
  while (!isFree(below)) below += NAME_HEIGHT
  return below
}
