import type { TextElement } from '../binding/shown-text.ts'
import { parentOf } from '../common/parent-of.ts'
import { addBlock, type Box, boxStyle, intersection } from './geometry.ts'
import type { TextLayout } from './mirror.ts'
import { OVERLAY_STYLE } from './overlay-style.ts'

/**
 * Lies over the content box of an element and lets clicks through, without a change to the app's layout.
 *
 * Its host is the element's next sibling: so it is in the same dialog of the top layer and in the same shadow root, and
 * what covers, transforms or fades the element's surroundings does so with the host. The host has no size and the place
 * that the layout gives it, which moves as the page does; what lies in it makes up for the distance, as measured.
 * Ancestors that scroll or clip the element but not the host, which is positioned, are followed: what they hide is not
 * drawn. It has the z-index of the element; a sticky header needs one of its own, because without it the host, which
 * comes later, is painted over it. Rotated elements and vertical text are not measured rightly.
 */
export class Cover {
  readonly #root: ShadowRoot
  /** What is drawn goes here. */
  readonly node: HTMLElement
  readonly #element: TextElement
  readonly #host = document.createElement('coedit-peers')
  readonly #onLayout: (layout: TextLayout) => void
  readonly #listening = new AbortController()
  readonly #sizes = new ResizeObserver((entries) => this.#onSizes(entries))
  readonly #changes = new MutationObserver(() => this.refresh())
  #content: DOMRectReadOnly | undefined
  #x = 0
  #y = 0

  /** @param onLayout called in each frame in which the text may lie in another way, before that is painted */
  constructor(element: TextElement, onLayout: (layout: TextLayout) => void) {
    this.#element = element
    this.#onLayout = onLayout
    this.#root = this.#host.attachShadow({ mode: 'open' })
    this.node = addBlock(this.#root, 'cover')
    this.node.setAttribute('aria-hidden', 'true')
  }

  start(): void {
    const sheet = new CSSStyleSheet()
    sheet.replaceSync(OVERLAY_STYLE)
    this.#root.adoptedStyleSheets = [sheet]
    const options = { capture: true, signal: this.#listening.signal }
    const refresh = () => this.refresh()
    addEventListener('resize', refresh, options)
    addEventListener('scroll', refresh, options)
    // Events of scrolling do not leave a shadow tree.
    this.#element.getRootNode().addEventListener('scroll', refresh, options)
    document.fonts.addEventListener('loadingdone', refresh, options)
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
    this.#listening.abort()
    this.#sizes.disconnect()
    this.#changes.disconnect()
    this.#host.remove()
  }

  #attach(): void {
    this.#element.after(this.#host)
    this.#changes.disconnect()
    this.#changes.observe(this.#element, { attributes: true })
    if (this.#element.parentNode) this.#changes.observe(this.#element.parentNode, { childList: true })
    this.#sizes.disconnect()
    for (let at: Element | null = this.#element; at; at = parentOf(at)) this.#sizes.observe(at)
  }

  #onSizes(entries: readonly ResizeObserverEntry[]): void {
    this.#content = entries.find(({ target }) => target === this.#element)?.contentRect ?? this.#content
    // The app may have moved the element.
    if (this.#element.nextSibling !== this.#host) this.#attach()
    if (this.#content?.width) this.#onLayout(this.#layOut(this.#content))
  }

  #layOut(content: DOMRectReadOnly): TextLayout {
    const { clientLeft, clientTop, clientWidth, clientHeight, scrollLeft, scrollTop } = this.#element
    const { x, y, width, height } = content
    const style = getComputedStyle(this.#element)
    const toLocal = this.#place(style, { x: clientLeft + x, y: clientTop + y, width, height })
    let view: Box | null = { x: -x, y: -y, width: clientWidth, height: clientHeight }
    let { y: top } = toLocal({ x: 0, y: 0, width: 0, height: 0 })
    // What the body clips is clipped by the viewport.
    for (let at = parentOf(this.#element); at && view && at !== document.body; at = parentOf(at)) {
      if (getComputedStyle(at).overflow === 'visible') continue
      const clip = toLocal(at.getBoundingClientRect())
      view = intersection(view, clip)
      top = Math.max(top, clip.y)
    }
    return { style, width, height, view, top, scrollLeft, scrollTop, toLocal }
  }

  /** Puts the node over the content box, which is given relative to the border box. */
  #place({ position, zIndex, zoom }: CSSStyleDeclaration, content: Box): TextLayout['toLocal'] {
    const place = position === 'fixed' ? position : 'absolute'
    // Important, so that no style sheet of the app touches the host.
    this.#host.style.cssText =
      `all:initial;position:${place};pointer-events:none;z-index:${zIndex};zoom:${zoom};`.replaceAll(';', '!important;')
    this.node.style.cssText = boxStyle({ ...content, x: this.#x, y: this.#y })
    const before = this.node.getBoundingClientRect()
    const element = this.#element.getBoundingClientRect()
    // Zoom and transforms make it other than 1.
    const scale = before.width / content.width
    const left = element.x + content.x * scale
    const top = element.y + content.y * scale
    this.#x += (left - before.x) / scale
    this.#y += (top - before.y) / scale
    this.node.style.cssText = boxStyle({ ...content, x: this.#x, y: this.#y })
    return ({ x, y, width, height }) => ({
      x: (x - left) / scale,
      y: (y - top) / scale,
      width: width / scale,
      height: height / scale,
    })
  }
}
