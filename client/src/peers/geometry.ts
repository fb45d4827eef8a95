/** A rectangle, in CSS px. */
export interface Box {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

/** What two rectangles have in common; null where they do not even touch. */
export function intersection(a: Box, b: Box): Box | null {
  const x = Math.max(a.x, b.x)
  const y = Math.max(a.y, b.y)
  const width = Math.min(a.x + a.width, b.x + b.width) - x
  const height = Math.min(a.y + a.height, b.y + b.height) - y
  return width < 0 || height < 0 ? null : { x, y, width, height }
}

/** A new element at the end of `parent`, styled by its class and by declarations of its own. */
export function addBlock(parent: ParentNode, className: string, style = ''): HTMLElement {
  const block = document.createElement('div')
  block.className = className
  block.style.cssText = style
  parent.append(block)
  return block
}

/** The declarations that put an absolutely positioned element there. */
export function boxStyle({ x, y, width, height }: Box): string {
  return `left:${x}px;top:${y}px;width:${width}px;height:${height}px;`
}
