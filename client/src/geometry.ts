/** A rectangle, in CSS px. */
export interface Box {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

/** Puts an absolutely positioned element there. */
export function setBox({ style }: HTMLElement, { x, y, width, height }: Box): void {
  style.left = `${x}px`
  style.top = `${y}px`
  style.width = `${width}px`
  style.height = `${height}px`
}

/** An empty block at the end of `parent`. */
export function addBlock(parent: Node, className: string): HTMLElement {
  const block = (parent.ownerDocument ?? document).createElement('div')
  block.className = className
  parent.appendChild(block)
  return block
}
