import { addBlock, type Box, boxStyle, intersection } from './geometry.ts'
import type { Mirror, TextLayout } from './mirror.ts'
import type { Peer } from './peer.ts'
import type { ShownCursor } from './shown-cursors.ts'

/** How long a name is shown after its caret has moved, in milliseconds: no longer, because it may cover text. */
const NAME_TIME = 1_500
/** The height of a name in the style sheet, with a gap, in CSS px. */
const NAME_HEIGHT = 18

/** How far from the edge the mark of who is out of sight stands, in CSS px. */
const EDGE_GAP = 4

interface Name {
  readonly node: HTMLElement
  readonly caret: Box
}

/**
 * Draws cursors as they are now, as far as they are in view. A name is shown where `pointed` meets its caret. Who moves
 * out of sight is told at the edge, where a press calls `onSought`.
 */
export function drawCursors(
  parent: HTMLElement,
  cursors: readonly ShownCursor[],
  mirror: Mirror,
  { view, top }: TextLayout,
  pointed: Box | null,
  onSought: (peer: Peer) => void,
): void {
  if (view === null) return
  const names: Name[] = []
  const edges = new Map<string, HTMLElement>()
  for (const { peer, anchor, head, movedAt } of cursors) {
    const draw = (className: string, style: string) =>
      addBlock(parent, className, `--color:${peer.color};--ink:${peer.ink};${style}`)
    for (const box of mirror.selection(Math.min(anchor, head), Math.max(anchor, head))) draw('selection', boxStyle(box))
    const place = mirror.caret(head)
    if (place === null) continue
    const age = performance.now() - movedAt
    // The fading goes on where that of an earlier drawing was.
    const fading = `animation:name ${NAME_TIME}ms ${-age}ms;`
    const caret = intersection(place, view)
    if (caret !== null) {
      const isPointed = pointed && intersection(caret, pointed)
      const node = addBlock(draw('caret', boxStyle(caret)), 'name', isPointed ? 'opacity:1' : fading)
      node.append(peer.name)
      node.dir = 'auto'
      if (age < NAME_TIME || isPointed) names.push({ node, caret })
    } else if (age < NAME_TIME) {
      const [arrow, style] = edgeMark(place, view)
      const known = edges.get(arrow)
      if (known) {
        known.append(', ', peer.name)
        continue
      }
      const node = draw('name edge', fading + style)
      node.append(arrow, ' ', peer.name)
      edges.set(arrow, node)
      // Not a click: by its end the mark may have been drawn anew. The element keeps the focus.
      node.onpointerdown = (event) => {
        event.preventDefault()
        onSought(peer)
      }
    }
  }
  placeNames(names, view.x + view.width, top)
}

/**
 * Puts names above their carets, even beyond the element, so that they leave the next line to be read; below only
 * where they could not be seen above. Names that would meet stand beside each other, before `right`.
 */
function placeNames(names: readonly Name[], right: number, top: number): void {
  const taken: Box[] = []
  for (const { node, caret } of names) {
    // Placing one by `translate` leaves the layout as it is, so that measuring the next one costs none.
    const width = node.offsetWidth
    const start = Math.min(caret.x, right - width)
    const step = caret.y < top + NAME_HEIGHT ? NAME_HEIGHT : -NAME_HEIGHT
    let x = start
    let y = caret.y + (step > 0 ? caret.height + 2 : step)
    const box = () => ({ x, y, width, height: NAME_HEIGHT - 1 })
    const next = () => taken.find((other) => intersection(other, box()))
    for (let other = next(); other; other = next()) {
      x = other.x + other.width + 1
      if (x + width > right) {
        x = start
        y += step
      }
    }
    taken.push(box())
    node.style.translate = `${x - caret.x}px ${y - caret.y}px`
  }
}

/** The mark for what lies outside of the view: in which direction, and the style that puts it at the nearest edge. */
function edgeMark({ x, y, height }: Box, view: Box): [arrow: string, style: string] {
  const nearest = (at: number, start: number, length: number) =>
    Math.min(Math.max(at, start + EDGE_GAP), start + length - EDGE_GAP)
  const left = nearest(x, view.x, view.width)
  const top = nearest(y, view.y, view.height)
  const arrow = y + height < view.y ? '↑' : y > top + EDGE_GAP ? '↓' : x < left ? '←' : '→'
  const across = (100 * (view.x - left)) / view.width
  const down = (100 * (view.y - top)) / view.height
  return [arrow, `left:${left}px;top:${top}px;translate:${across}% ${down}%`]
}
