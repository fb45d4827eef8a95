import { addBlock, type Box, setBox } from './geometry.ts'
import { OVERLAY_STYLE } from './overlay-style.ts'
import type { TextElement } from './shown-text.ts'

/** Further than any page reaches, in CSS px. */
const FAR = 1e6
/** Inline and important, so that no style sheet of the app touches the host. */
const HOST_STYLE = 'all:initial!important;position:absolute!important;pointer-events:none!important;'

/** How the element's text lies, at one moment. */
export interface TextLayout {
  readonly style: CSSStyleDeclaration
  readonly width: number
  readonly height: number
  /** What is seen of it, relative to the content box that is not scrolled. */
  readonly view: Box
}

/**
 * Lies over an element exactly and lets clicks through, without a change to the app's layout.
 *
 * Its host is the element's next sibling: so it is in the same dialog of the top layer and in the same shadow root, and
 * what covers, transforms, scrolls or fades the element's surroundings does so with the host. The host has no size and
 * the place that the layout gives it, which moves as the page does; the frame inside of it makes up for the distance,
 * as measured. Ancestors that scroll or clip the element but not the host, which is positioned, are followed by
 * listening and by a clip path.
 */
export class Cover {
  readonly root: ShadowRoot
  /** Scrolls with the element's text and is clipped as it is: its origin is the one of the content box. */
  readonly text: HTMLElement
  /** Lies over the element's padding box, not clipped. */
  readonly names: HTMLElement
  readonly #element: TextElement
  readonly #onLayout: (layout: TextLayout) => void
  readonly #host: HTMLElement
  readonly #box: HTMLElement
  readonly #clip: HTMLElement
  readonly #sizes: ResizeObserver
  readonly #looks: MutationObserver
  #following = new AbortController()
  #size: ResizeObserverEntry | undefined
  #x = 0
  #y = 0

  constructor(element: TextElement, onLayout: (layout: TextLayout) => void) {
    const page = element.ownerDocument
    const sheet = new (page.defaultView ?? window).CSSStyleSheet()
    sheet.replaceSync(OVERLAY_STYLE)
    this.#element = element
    this.#onLayout = onLayout
    this.#host = page.createElement('coedit-peers')
    this.root = this.#host.attachShadow({ mode: 'open' })
    this.root.adoptedStyleSheets = [sheet]
    this.#box = addBlock(this.root, 'cover')
    this.#box.ariaHidden = 'true'
    this.#clip = addBlock(this.#box, 'clip')
    this.text = addBlock(this.#clip, 'text')
    this.names = addBlock(this.#box, 'names')
    this.#sizes = new ResizeObserver((entries) => this.#onSizes(entries))
    this.#looks = new MutationObserver(() => this.refresh())
  }

  start(): void {
    this.#looks.observe(this.#element, { attributes: true })
    this.#attach()
  }

  /**
   * Calls for a layout in the next frame, or in this one as long as it is not painted: size observers are called after
   * all else in a frame, when the browser's layout is done, and for an element that is observed anew in any case.
   */
  refresh(): void {
    this.#sizes.unobserve(this.#element)
    this.#sizes.observe(this.#element)
  }

  stop(): void {
    this.#following.abort()
    this.#sizes.disconnect()
    this.#looks.disconnect()
    this.#host.remove()
  }

  #attach(): void {
    this.#element.after(this.#host)
    this.#following.abort()
    this.#following = new AbortController()
    this.#sizes.disconnect()
    const options = { signal: this.#following.signal }
    const refresh = () => this.refresh()
    this.#element.addEventListener('scroll', refresh, options)
    this.#element.ownerDocument.fonts.addEventListener('loadingdone', refresh, options)
    this.#element.ownerDocument.defaultView?.addEventListener('resize', refresh, options)
    for (const ancestor of ancestors(this.#element)) {
      ancestor.addEventListener('scroll', refresh, options)
      if (ancestor instanceof Element) this.#sizes.observe(ancestor)
    }
    this.refresh()
  }

  #onSizes(entries: readonly ResizeObserverEntry[]): void {
    this.#size = entries.find(({ target }) => target === this.#element) ?? this.#size
    // The app has moved the element.
    if (this.#element.nextSibling !== this.#host) this.#attach()
    if (this.#size === undefined) return
    const { contentRect, borderBoxSize } = this.#size
    const style = getComputedStyle(this.#element)
    this.#place(style, borderBoxSize[0])
    const view = this.#look(contentRect)
    this.#onLayout({ style, width: contentRect.width, height: contentRect.height, view })
  }

  /** Puts the frame over the element, whose border box has the given size. */
  #place(
    { position, zIndex, zoom }: CSSStyleDeclaration,
    { inlineSize: width, blockSize: height }: ResizeObserverSize,
  ) {
    const fixed = position === 'fixed' ? 'position:fixed!important;' : ''
    this.#host.style.cssText = `${HOST_STYLE}${fixed}z-index:${zIndex}!important;zoom:${zoom}!important`
    setBox(this.#box, { x: this.#x, y: this.#y, width, height })
    const there = this.#element.getBoundingClientRect()
    const here = this.#box.getBoundingClientRect()
    // Of zoom and transforms.
    const scale = here.width / width
    this.#x += (there.x - here.x) / scale
    this.#y += (there.y - here.y) / scale
    setBox(this.#box, { x: this.#x, y: this.#y, width, height })
    this.#box.style.clipPath = `inset(${this.#insets(there)
      .map((inset) => `${inset / scale}px`)
      .join(' ')})`
  }

  /** How far the frame is covered by what clips it, from the top clockwise. */
  #insets(target: DOMRect): readonly number[] {
    let insets = [-FAR, -FAR, -FAR, -FAR]
    for (const ancestor of ancestors(this.#element)) {
      // What they clip is clipped by the viewport.
      if (ancestor === this.#element.ownerDocument.body) break
      if (!(ancestor instanceof Element) || getComputedStyle(ancestor).overflow === 'visible') continue
      const { top, right, bottom, left } = ancestor.getBoundingClientRect()
      const own = [top - target.top, target.right - right, target.bottom - bottom, left - target.left]
      insets = insets.map((inset, side) => Math.max(inset, own[side]))
    }
    return insets
  }

  /** Lays the parts of the frame over those of the element. Returns what is seen of the text. */
  #look(content: DOMRectReadOnly): Box {
    const {
      clientLeft: x,
      clientTop: y,
      clientWidth: width,
      clientHeight: height,
      scrollLeft,
      scrollTop,
    } = this.#element
    setBox(this.#clip, { x, y, width, height })
    setBox(this.names, { x, y, width, height })
    const view = { x: scrollLeft - content.x, y: scrollTop - content.y, width, height }
    this.text.style.translate = `${-view.x}px ${-view.y}px`
    return view
  }
}

/** What an element is in, from the inside out, as it is drawn: with slots and hosts of shadow trees. */
function* ancestors(element: Element): Generator<Node> {
  for (let node = parentOf(element); node !== null; node = parentOf(node)) yield node
}

function parentOf(node: Node): Node | null {
  if (node instanceof Element && node.assignedSlot !== null) return node.assignedSlot
  return node instanceof ShadowRoot ? node.host : node.parentNode
}
