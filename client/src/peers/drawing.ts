import { addBlock, type Box, boxStyle, intersection } from './geometry.ts'
import type { Mirror } from './mirror.ts'
import type { ShownCursor } from './shown-cursors.ts'

/** How long a name is shown after its caret has moved, in milliseconds. */
const NAME_TIME = 3_000
/** The height of a name in the style sheet, with a gap, in CSS px. */
const NAME_HEIGHT = 20
/** Names whose carets are closer than this are put above each other, in CSS px. */
const NAME_WIDTH = 120

/** Draws cursors as they are now, as far as they are in view. A name is shown where `pointed` meets its caret. */
export function drawCursors(
  parent: HTMLElement,
  cursors: readonly ShownCursor[],
  mirror: Mirror,
  view: Box,
  pointed: Box | null,
): void {
  const names: Box[] = []
  for (const { peer, anchor, head, movedAt } of cursors) {
    const draw = (className: string, box: Box) =>
      addBlock(parent, className, `--color:${peer.color};--ink:${peer.ink};${boxStyle(box)}`)
    for (const box of mirror.selection(Math.min(anchor, head), Math.max(anchor, head))) draw('selection', box)
    const caret = mirror.caret(head)
    if (caret === null) continue
    const top = freeHeight(caret, view, names)
    const side = caret.x > view.x + view.width / 2 ? 'right' : 'left'
    const isPointed = pointed !== null && intersection(caret, pointed) !== null
    const name = addBlock(draw('caret', caret), 'name', `top:${top - caret.y}px;${side}:0;opacity:${isPointed ? 1 : 0}`)
    name.textContent = peer.name
    name.dir = 'auto'
    const timeLeft = movedAt + NAME_TIME - performance.now()
    if (timeLeft > 0) name.animate({ opacity: [1, 1] }, timeLeft)
  }
}

/** Finds and takes the place of a name: above the caret, or below where there is no room, and not over another one. */
function freeHeight({ x, y, height }: Box, view: Box, names: Box[]): number {
  const place = (top: number) => ({ x, y: top, width: NAME_WIDTH, height: NAME_HEIGHT - 1 })
  const isTaken = (top: number) => names.some((name) => intersection(name, place(top)))
  let top = y - NAME_HEIGHT
  while (isTaken(top)) top -= NAME_HEIGHT
  if (top < view.y) top = y + height + 2
  while (isTaken(top)) top += NAME_HEIGHT
  names.push(place(top))
  return top
}
