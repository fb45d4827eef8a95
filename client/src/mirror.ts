import { caretPlace } from './caret-place.ts'
import type { TextLayout } from './cover.ts'
import type { Box } from './geometry.ts'
import { applySplice, type Splice } from './splice.ts'

/** Computed properties that shape text. Others of the element (its border, its animations) must not be copied. */
const TEXT_PROPERTY =
  /^(font|text|letter|word|line|tab|white|hyphen|direction|unicode|overflow-wrap|-webkit-(text|locale))/
/** In UTF-16 code units. Shorter blocks make an edit cheaper, and longer ones the first layout. */
const BLOCK_LENGTH = 2_048
/** Of a line feed that is selected, in CSS px. */
const LINE_FEED_WIDTH = 4

/** A part of a block's text, from one offset to another. */
interface Piece {
  readonly block: number
  readonly from: number
  readonly to: number
}

/**
 * Measures where the characters of a text control are, which browsers do not tell: holds the same text in plain
 * blocks that are laid out alike. A block has some whole lines, so that an edit costs the layout of one block.
 * Boxes are relative to the element's content box, not scrolled.
 */
export class Mirror {
  readonly #node: HTMLElement
  /** Each ends with a line feed; one more than in the text gives the last line its own, and a caret there a character. */
  readonly #blocks: Text[] = []
  #length = 0
  #style = ''
  #width = 0
  #lineHeight = 0
  /** Browsers keep a caret behind spaces at the end of a wrapped line inside of the content box. */
  #maxCaret = 0
  #isLeftward = false
  #view: Box = { x: 0, y: 0, width: 0, height: 0 }

  /** @param node an empty block, positioned */
  constructor(node: HTMLElement, text: string) {
    this.#node = node
    this.write(text)
  }

  /** Of the text, in UTF-16 code units. */
  get length(): number {
    return this.#length
  }

  write(text: string): void {
    this.#length = text.length
    this.#replace(0, this.#blocks.length, `${text}\n`)
  }

  /** A splice that does not fit the text leaves it as it is. */
  splice({ index, remove, insert }: Splice): void {
    if (index + remove > this.#length) return
    // Also what follows the splice, because a block does not end without a line feed.
    const pieces = this.#pieces(index, index + remove + 1)
    const [{ block, from }] = pieces
    const before = pieces.map((piece) => this.#blocks[piece.block].data).join('')
    this.#length += insert.length - remove
    this.#replace(block, pieces.length, applySplice(before, { index: from, remove, insert }))
  }

  /** Lays the text out like the element's. */
  wear({ style, width, height, view }: TextLayout): void {
    this.#view = view
    const properties = [...style].filter((name) => TEXT_PROPERTY.test(name))
    const text = properties.map((name) => `${name}:${style.getPropertyValue(name)};`).join('')
    const next = `${text}width:${width}px;height:${height}px`
    if (next === this.#style) return
    this.#node.style.cssText = next
    this.#style = next
    this.#width = width
    this.#isLeftward = style.direction === 'rtl'
    this.#maxCaret = style.whiteSpace === 'pre-wrap' ? width - 1 : Number.POSITIVE_INFINITY
    this.#lineHeight = Number.parseFloat(style.lineHeight) || 0
  }

  /** Where a caret stands at an offset; null where it is not in view. */
  caret(offset: number): Box | null {
    const [piece] = this.#pieces(offset, offset + 1)
    if (piece === undefined || !this.#isBlockInView(piece.block)) return null
    const { block, from } = piece
    const place = caretPlace(this.#blocks[block].data, from, (start, end) => this.#boxes(block, start, end))
    if (place === undefined) return null
    const caret = { ...place, x: Math.min(place.x, this.#maxCaret), width: 0 }
    return this.#isInView(caret) ? caret : null
  }

  /** What is in view of a selection: boxes as high as the lines that they are in. */
  selection(from: number, to: number): Box[] {
    return this.#pieces(from, to)
      .filter(({ block }) => this.#isBlockInView(block))
      .flatMap((piece) => this.#boxes(piece.block, piece.from, piece.to))
      .filter((box) => this.#isInView(box))
      .map((box) => this.#fillLine(box))
  }

  /** As high as the line, and not without width where it is a line feed. */
  #fillLine(box: Box): Box {
    const height = Math.max(box.height, this.#lineHeight)
    const width = box.width || LINE_FEED_WIDTH
    const x = this.#isLeftward ? box.x + box.width - width : box.x
    return { x, y: box.y + (box.height - height) / 2, width, height }
  }

  #isBlockInView(block: number): boolean {
    const { parentElement } = this.#blocks[block]
    if (parentElement === null) return false
    const { offsetTop, offsetHeight } = parentElement
    return offsetTop <= this.#view.y + this.#view.height && offsetTop + offsetHeight >= this.#view.y
  }

  #isInView({ x, y, width, height }: Box): boolean {
    const view = this.#view
    return x <= view.x + view.width && x + width >= view.x && y <= view.y + view.height && y + height >= view.y
  }

  #boxes(block: number, from: number, to: number): Box[] {
    const range = this.#node.ownerDocument.createRange()
    range.setStart(this.#blocks[block], from)
    range.setEnd(this.#blocks[block], to)
    const origin = this.#node.getBoundingClientRect()
    // Of zoom and transforms.
    const scale = origin.width / this.#width
    return Array.from(range.getClientRects(), ({ x, y, width, height }) => ({
      x: (x - origin.x) / scale,
      y: (y - origin.y) / scale,
      width: width / scale,
      height: height / scale,
    }))
  }

  #pieces(from: number, to: number): Piece[] {
    const pieces: Piece[] = []
    if (from === to) return pieces
    let start = 0
    for (const [block, { length }] of this.#blocks.entries()) {
      const end = start + length
      if (start < to && end > from) {
        pieces.push({ block, from: Math.max(0, from - start), to: Math.min(length, to - start) })
      }
      start = end
    }
    return pieces
  }

  #replace(first: number, count: number, text: string): void {
    const blocks: Text[] = []
    for (let start = 0; start < text.length; ) {
      const lineEnd = text.indexOf('\n', start + BLOCK_LENGTH)
      const end = lineEnd === -1 ? text.length : lineEnd + 1
      blocks.push(this.#node.ownerDocument.createTextNode(text.slice(start, end)))
      start = end
    }
    const next = this.#blocks[first + count]?.parentNode ?? null
    for (const { parentElement } of this.#blocks.splice(first, count, ...blocks)) parentElement?.remove()
    for (const block of blocks) {
      const line = this.#node.ownerDocument.createElement('div')
      line.append(block)
      this.#node.insertBefore(line, next)
    }
  }
}
