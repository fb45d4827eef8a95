import { parentOf } from '../common/parent-of.ts'
import type { TextElement } from './shown-text.ts'
import { BLOCKS_STYLE, TextBlocks } from './text-blocks.ts'

/** A line that one reads, and where. */
export interface Line {
  /** Of a character in it. */
  readonly offset: number
  /** Where it is in the text, and how far the element has scrolled, in px of the element. */
  readonly y: number
  readonly scrollTop: number
  /** Where the element's upper edge is in the viewport. */
  readonly top: number
  readonly height: number
}

/** A stretch of the viewport from top to bottom, in CSS px. */
interface Stretch {
  readonly top: number
  readonly bottom: number
}

/**
 * What one sees of an element, and how to see it again. Browsers do not tell where the lines of a text control are, so
 * they are measured in a copy, that is made when something above is out of sight for the first time. Rotated elements
 * and vertical text are not measured rightly.
 */
export class View {
  readonly #element: TextElement
  #host: HTMLElement | undefined
  #node: HTMLElement | undefined
  #blocks: TextBlocks | undefined
  /** How it was when it was last displayed. While it is not, browsers tell nothing, and scroll there again afterwards. */
  #last = { scrollTop: 0, width: 0 }
  #isMoved = false
  readonly #ended = new AbortController()

  constructor(element: TextElement) {
    this.#element = element
  }

  start(): void {
    const { signal } = this.#ended
    const { defaultView } = this.#element.ownerDocument
    this.#element.addEventListener('scrollend', () => this.#remember(), { signal })
    if (!defaultView?.ResizeObserver) return
    const sizes = new defaultView.ResizeObserver(() => {
      // What others did while it was not displayed has moved what one reads.
      if (this.#isDisplayed && this.#isMoved) this.#element.scrollTo({ top: this.#last.scrollTop, behavior: 'instant' })
      this.#remember()
    })
    sizes.observe(this.#element)
    signal.addEventListener('abort', () => sizes.disconnect())
  }

  /** The first line in sight. Null where the beginning is, as what comes in above that is to be seen, and in inputs. */
  firstLine(): Line | null {
    const element = this.#element
    if (element.localName === 'input') return null
    const hidden = this.#last.scrollTop - this.#padding
    const above = this.#isDisplayed ? (this.#seen().top - this.#begin()) / scaleOf(element) : hidden
    // There is no number outside of documents.
    if (!(above > 0)) return null
    this.#update()
    const offset = this.#offsetAt(above)
    const { scrollTop } = this.#isDisplayed ? element : this.#last
    return { offset, y: this.#measured(offset).top, scrollTop, top: this.#box().top, height: element.offsetHeight }
  }

  /**
   * Scrolls so that the line with `offset` is where `line` was. Where the element has become higher with its text, the
   * page scrolls.
   */
  hold(line: Line, offset: number): void {
    const element = this.#element
    this.#update()
    const distance = this.#measured(offset).top - line.y
    if (!this.#isDisplayed) {
      this.#last.scrollTop = line.scrollTop + distance
      this.#isMoved = true
      return
    }
    const growth = element.offsetHeight - line.height
    const around = Math.min(Math.max(growth, Math.min(0, distance)), Math.max(0, distance))
    element.scrollTo({ top: line.scrollTop + distance - around, behavior: 'instant' })
    this.#scroll(this.#box().top - line.top + around * scaleOf(element), parentOf(element))
  }

  /** Scrolls to the middle what is out of sight. */
  reveal(offset: number): void {
    const element = this.#element
    if (!this.#isDisplayed) return
    element.scrollIntoView({ block: 'nearest', behavior: 'instant' })
    if (element.localName === 'input') return
    this.#update()
    element.scrollBy({ top: fromMiddle(this.#line(offset), this.#box()) / scaleOf(element), behavior: 'instant' })
    this.#scroll(fromMiddle(this.#line(offset), this.#seen()), parentOf(element))
  }

  /** Remembers how far all is scrolled. Returns what scrolls there again. */
  keepScrolled(): () => void {
    const kept: [Element, number, number][] = []
    for (let at: Element | null = this.#element; at; at = parentOf(at)) kept.push([at, at.scrollTop, at.scrollLeft])
    return () => {
      for (const [at, top, left] of kept) at.scrollTo({ top, left, behavior: 'instant' })
    }
  }

  destroy(): void {
    this.#ended.abort()
    this.#host?.remove()
  }

  get #isDisplayed(): boolean {
    return this.#element.getClientRects().length > 0
  }

  get #padding(): number {
    return Number.parseFloat(getComputedStyle(this.#element).paddingTop)
  }

  #remember(): void {
    if (!this.#isDisplayed) return
    const { scrollTop, clientWidth: width } = this.#element
    this.#last = { scrollTop, width }
    this.#isMoved = false
  }

  /** Scrolls by so many px of the viewport what can be, from the inside outwards. */
  #scroll(distance: number, from: Element | null): void {
    const { scrollingElement } = this.#element.ownerDocument
    let left = distance
    for (let at = from; at && Math.abs(left) >= 1; at = parentOf(at)) {
      const { overflowY, position } = getComputedStyle(at)
      if (at === scrollingElement || /auto|scroll/.test(overflowY)) {
        const before = at.scrollTop
        const scale = scaleOf(at)
        at.scrollTo({ top: before + left / scale, behavior: 'instant' })
        left -= (at.scrollTop - before) * scale
      }
      // What is around a fixed element does not move it.
      if (position === 'fixed') return
    }
  }

  /** The part of the element that its text is seen in, as if nothing else hid it. */
  #box(): Stretch {
    const { clientTop, clientHeight } = this.#element
    const scale = scaleOf(this.#element)
    const top = this.#element.getBoundingClientRect().top + clientTop * scale
    return { top, bottom: top + clientHeight * scale }
  }

  /** What is left of that by the window and by what scrolls or clips around the element. */
  #seen(): Stretch {
    const { body, documentElement, defaultView } = this.#element.ownerDocument
    const { offsetTop = 0, height = documentElement.clientHeight } = defaultView?.visualViewport ?? {}
    let { top, bottom } = this.#box()
    const clip = (box: Stretch) => {
      top = Math.max(top, box.top)
      bottom = Math.min(bottom, box.bottom)
    }
    clip({ top: offsetTop, bottom: offsetTop + height })
    for (let at = parentOf(this.#element); at && at !== body; at = parentOf(at)) {
      if (getComputedStyle(at).overflowY !== 'visible') clip(at.getBoundingClientRect())
    }
    return { top, bottom }
  }

  /** Where the text begins in the viewport, be it in sight or not. */
  #begin(): number {
    return this.#box().top + (this.#padding - this.#element.scrollTop) * scaleOf(this.#element)
  }

  #line(offset: number): Stretch {
    const scale = scaleOf(this.#element)
    const { top, bottom } = this.#measured(offset)
    const begin = this.#begin()
    return { top: begin + top * scale, bottom: begin + bottom * scale }
  }

  /** Makes the copy be as the element is now. */
  #update(): void {
    const { value } = this.#element
    const { clientWidth } = this.#isDisplayed ? this.#element : { clientWidth: this.#last.width }
    this.#blocks ??= this.#open()
    if (this.#host?.isConnected === false) this.#attach(this.#host)
    const style = getComputedStyle(this.#element)
    const width = clientWidth - Number.parseFloat(style.paddingLeft) - Number.parseFloat(style.paddingRight)
    this.#blocks.update(value, style, `width:${width}px;height:0;`)
  }

  #open(): TextBlocks {
    const { ownerDocument } = this.#element
    this.#host = ownerDocument.createElement('coedit-lines')
    this.#host.setAttribute('aria-hidden', 'true')
    this.#host.style.cssText = 'all:initial!important;position:absolute!important;contain:strict!important'
    const root = this.#host.attachShadow({ mode: 'open' })
    const sheet = new (ownerDocument.defaultView ?? globalThis).CSSStyleSheet()
    sheet.replaceSync(BLOCKS_STYLE)
    root.adoptedStyleSheets = [sheet]
    this.#node = ownerDocument.createElement('div')
    this.#node.className = 'mirror'
    root.append(this.#node)
    this.#attach(this.#host)
    return new TextBlocks(this.#node)
  }

  /** Outside of the body, where no style and no code of the page counts elements. */
  #attach(host: HTMLElement): void {
    this.#element.ownerDocument.documentElement.append(host)
  }

  /** The offset of a character in the line that is at `y` px of the text. */
  #offsetAt(y: number): number {
    let offset = 0
    for (const text of this.#blocks ?? []) {
      const { offsetTop = 0, offsetHeight = 0 } = text.parentElement ?? {}
      if (offsetTop + offsetHeight > y) return offset + firstBelow(text, y, (at) => this.#boxOf(text, at).bottom)
      offset += text.length
    }
    return offset - 1
  }

  #measured(offset: number): Stretch {
    let at = offset
    for (const text of this.#blocks ?? []) {
      if (at < text.length) return this.#boxOf(text, at)
      at -= text.length
    }
    return { top: 0, bottom: 0 }
  }

  /** Where a character of a block is in the text. */
  #boxOf(text: Text, at: number): Stretch {
    const range = text.ownerDocument.createRange()
    range.setStart(text, at)
    range.setEnd(text, at + 1)
    const { top, bottom } = range.getClientRects()[0] ?? range.getBoundingClientRect()
    const origin = this.#node?.getBoundingClientRect().top ?? 0
    return { top: top - origin, bottom: bottom - origin }
  }
}

/** How many px of the viewport are one of the element: zoom and transforms make it other than 1. */
function scaleOf(element: Element): number {
  const height = element instanceof HTMLElement ? element.offsetHeight : 0
  return element.getBoundingClientRect().height / height || 1
}

/** How far a line that is not all in sight is from the middle of what is. */
function fromMiddle(line: Stretch, seen: Stretch): number {
  const isSeen = line.top >= seen.top && line.bottom <= seen.bottom
  return isSeen ? 0 : (line.top + line.bottom - seen.top - seen.bottom) / 2
}

/** The first character of a block whose line ends below `y`, by bisection. */
function firstBelow(text: Text, y: number, bottomOf: (at: number) => number): number {
  let low = 0
  let high = text.length - 1
  while (low < high) {
    const middle = (low + high) >> 1
    if (bottomOf(middle) > y) high = middle
    else low = middle + 1
  }
  return low
}
