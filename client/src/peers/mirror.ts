import { TextBlocks } from '../binding/text-blocks.ts'
import { addBlock, type Box, boxStyle, intersection } from './geometry.ts'

/** The width of a line feed that is selected, in CSS px. */
const LINE_FEED_WIDTH = 4

/** How the text of an element lies at one moment. The origin is the content box, and the unit is CSS px. */
export interface TextLayout {
  readonly style: CSSStyleDeclaration
  /** The size of the content box. */
  readonly width: number
  readonly height: number
  /** Where text can be seen; null for nowhere. */
  readonly view: Box | null
  /** From where downwards something can be seen that is drawn over the element or above it. */
  readonly top: number
  readonly scrollLeft: number
  readonly scrollTop: number
  /** Where a box lies that is measured in the viewport. */
  toLocal(box: Box): Box
}

/** What is between two offsets of a block. */
interface Part {
  readonly text: Text
  readonly from: number
  readonly to: number
}

/** Measures where carets and selections of a text control are, as far as they are seen. */
export class Mirror {
  readonly #blocks: TextBlocks
  #layout: TextLayout

  /**
   * @param parent lies over the content box
   * @param kind the name of the element
   */
  constructor(parent: HTMLElement, kind: string, layout: TextLayout) {
    this.#blocks = new TextBlocks(addBlock(parent, `mirror ${kind}`))
    this.#layout = layout
  }

  update(value: string, layout: TextLayout): void {
    this.#layout = layout
    const { style, width, height } = layout
    this.#blocks.update(value, style, boxStyle({ x: 0, y: 0, width, height }))
  }

  /** Where a caret stands at an offset, be it in view or not; null behind the end of the text. */
  caret(offset: number): Box | null {
    const [part] = this.#parts(offset, offset + 1)
    if (part === undefined) return null
    const { text, from, to } = part
    // An empty range before a line feed may have no box, so it is measured itself. At a wrap there are two boxes: the
    // start of the next line counts.
    const place = this.#boxes({ text, from, to: text.data[from] === '\n' ? to : from }).at(-1)
    if (place === undefined) return null
    const { style, width } = this.#layout
    // Browsers keep a caret behind spaces that hang over the end of a wrapped line inside of the content box.
    const x = style.whiteSpace === 'pre-wrap' ? Math.min(place.x, width - 1) : place.x
    return { ...place, x, width: 0 }
  }

  /** What is seen of a selection: boxes as high as the lines that they are in. */
  selection(start: number, end: number): Box[] {
    if (start === end) return []
    const parts = this.#parts(start, end).filter(({ text }) => this.#isInView(text.parentElement))
    return parts.flatMap((part) => this.#boxes(part)).flatMap((box) => this.#seen(this.#fill(box)) ?? [])
  }

  /** Widens a line feed, which has no width, so that it can be seen. */
  #fill({ x, y, width, height }: Box): Box {
    const { lineHeight, direction } = this.#layout.style
    const gap = Math.max(0, Number.parseFloat(lineHeight) - height || 0)
    const feed = width === 0 ? LINE_FEED_WIDTH : 0
    return { x: direction === 'rtl' ? x - feed : x, y: y - gap / 2, width: width + feed, height: height + gap }
  }

  #parts(start: number, end: number): Part[] {
    const parts: Part[] = []
    let offset = 0
    for (const text of this.#blocks) {
      const { length } = text
      if (offset >= end) break
      if (offset + length > start) {
        parts.push({ text, from: Math.max(0, start - offset), to: Math.min(length, end - offset) })
      }
      offset += length
    }
    return parts
  }

  #isInView(block: HTMLElement | null): boolean {
    const { view, scrollTop } = this.#layout
    if (block === null || view === null) return false
    const y = block.offsetTop - scrollTop
    return y <= view.y + view.height && y + block.offsetHeight >= view.y
  }

  #seen(box: Box): Box | null {
    const { view } = this.#layout
    return view && intersection(box, view)
  }

  #boxes({ text, from, to }: Part): Box[] {
    const range = new Range()
    range.setStart(text, from)
    range.setEnd(text, to)
    const { toLocal, scrollLeft, scrollTop } = this.#layout
    return Array.from(range.getClientRects(), (rect) => {
      const box = toLocal(rect)
      return { ...box, x: box.x - scrollLeft, y: box.y - scrollTop }
    })
  }
}
