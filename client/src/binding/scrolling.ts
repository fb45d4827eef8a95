import type { TextElement } from './shown-text.ts'

/** A line, by an offset in it and where its top is in the viewport, in CSS pixels. */
export interface Line {
  readonly offset: number
  readonly top: number
}

/** The first line in sight. Null at the very top, where what comes in above is to be seen. */
export function firstLine(element: TextElement): Line | null {
  return element.scrollTop === 0 ? null : lineAt(element, 0)
}

/** Scrolls so that the line with `offset` is where `line` was. */
export function holdLine(element: TextElement, line: Line, offset: number): void {
  const found = seek(element, 0, offset)
  if (found) element.scrollTop += found.top - line.top
}

/** Scrolls to the middle what is out of sight. */
export function reveal(element: TextElement, offset: number): void {
  element.scrollIntoView({ block: 'nearest' })
  const first = lineAt(element, 0)
  const last = lineAt(element, 1)
  if (first && last && (offset < first.offset || offset > last.offset)) seek(element, 0.5, offset)
}

/** Scrolls until the line with `offset` is at this part of the height, by bisection. Returns what is there then. */
function seek(element: TextElement, part: number, offset: number): Line | null {
  const lineFor = (scrollTop: number) => {
    element.scrollTop = scrollTop
    return lineAt(element, part)
  }
  let low = 0
  let high = element.scrollHeight
  while (high - low > 1) {
    const middle = (low + high) >> 1
    const line = lineFor(middle)
    if (line && line.offset <= offset) low = middle
    else high = middle
  }
  return lineFor(low)
}

/**
 * What stands at this part of the visible height: from 0, where the first line begins, to 1, where the last one ends.
 * Null where something covers the element, and in browsers that look into no text control.
 */
function lineAt(element: TextElement, part: number): Line | null {
  const { ownerDocument, clientLeft, clientTop, clientWidth, clientHeight } = element
  const { left, top } = element.getBoundingClientRect()
  const x = left + clientLeft + 1 + part * (clientWidth - 2)
  const first = Math.max(top + clientTop, 0) + 1
  const last = Math.min(top + clientTop + clientHeight, ownerDocument.documentElement.clientHeight) - 1
  const root = element.getRootNode()
  const shadowRoots = root instanceof ShadowRoot ? [root] : []
  const position = ownerDocument.caretPositionFromPoint?.(x, first + part * (last - first), { shadowRoots })
  const rect = position?.getClientRect()
  return rect && position?.offsetNode === element ? { offset: position.offset, top: rect.top } : null
}
