import type { TextElement } from './shown-text.ts'

/** A place in the viewport, in CSS pixels. */
interface Point {
  readonly x: number
  readonly y: number
}

/** What stands at a place: an offset in the value, and the top of its line in the viewport. */
interface Hit {
  readonly offset: number
  readonly top: number
}

/** A line that is being read, and where. */
export interface Anchor extends Hit {
  readonly point: Point
  readonly scrollTop: number
  readonly scrollHeight: number
}

/** Where a line may be found when something covers the element's upper edge: parts of the visible height. */
const PROBES = [0, 0.25, 0.5, 0.75]

/** The first line that can be seen. Null at the very top, where what comes in above is to be seen, and without scrolling. */
export function findAnchor(element: TextElement): Anchor | null {
  const { scrollTop, scrollHeight } = element
  if (scrollTop === 0) return null
  const { left, top, bottom } = visibleBox(element)
  for (const part of PROBES) {
    const point = { x: left + 1, y: top + 1 + part * (bottom - top) }
    const hit = hitTest(element, point)
    if (hit !== null) return { ...hit, point, scrollTop, scrollHeight }
  }
  return null
}

/** Scrolls so that the line with `offset` is where the anchor's line was. */
export function holdAnchor(element: TextElement, anchor: Anchor, offset: number, isChangedAbove: boolean): void {
  const grown = isChangedAbove ? element.scrollHeight - anchor.scrollHeight : 0
  const hit = seek(element, anchor.point, offset, anchor.scrollTop + grown)
  if (hit !== null) scroll(element, element.scrollTop + hit.top - anchor.top)
}

/** Scrolls to the middle what is out of sight. */
export function reveal(element: TextElement, offset: number): void {
  element.scrollIntoView({ block: 'nearest' })
  if (element.scrollHeight <= element.clientHeight) return
  const { left, top, right, bottom } = visibleBox(element)
  const first = hitTest(element, { x: left + 1, y: top + 1 })
  const last = hitTest(element, { x: right - 1, y: bottom - 1 })
  if (first && last && first.offset <= offset && offset <= last.offset) return
  const estimate = (offset / element.value.length) * element.scrollHeight - element.clientHeight / 2
  seek(element, { x: left + 1, y: (top + bottom) / 2 }, offset, estimate)
}

/** Scrolls until the line with `offset` is at `point`, beginning with a guess. Returns what is there then. */
function seek(element: TextElement, point: Point, offset: number, guess: number): Hit | null {
  const hitAt = (scrollTop: number) => {
    scroll(element, scrollTop)
    return hitTest(element, point)
  }
  const hit = hitAt(guess)
  if (hit === null || hit.offset === offset) return hit
  let low = 0
  let high = element.scrollHeight - element.clientHeight + 1
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    const found = hitAt(middle)
    if (found !== null && found.offset <= offset) low = middle
    else high = middle
  }
  return hitAt(low)
}

function scroll(element: TextElement, top: number): void {
  element.scrollTo({ top, behavior: 'instant' })
}

/** Null where the element is covered, and in browsers that look into no text control (Safari 18). */
function hitTest(element: TextElement, { x, y }: Point): Hit | null {
  const { ownerDocument } = element
  const view = ownerDocument.defaultView
  const root = element.getRootNode()
  const shadowRoots = view && root instanceof view.ShadowRoot ? [root] : []
  const position = ownerDocument.caretPositionFromPoint?.(x, y, { shadowRoots })
  const top = position?.getClientRect()?.top
  if (position?.offsetNode !== element || top === undefined) return null
  return { offset: position.offset, top }
}

/** The part of the element's inside that the viewport shows. */
function visibleBox(element: TextElement): { left: number; top: number; right: number; bottom: number } {
  const box = element.getBoundingClientRect()
  const { clientWidth, clientHeight } = element.ownerDocument.documentElement
  const left = box.left + element.clientLeft
  const top = box.top + element.clientTop
  return {
    left: Math.max(left, 0),
    top: Math.max(top, 0),
    right: Math.min(left + element.clientWidth, clientWidth),
    bottom: Math.min(top + element.clientHeight, clientHeight),
  }
}
