import type { Box } from './geometry.ts'

/** Measures the boxes of a part of a text, from one offset to another. */
export type Measure = (from: number, to: number) => readonly Box[]

/**
 * Where the caret before a character stands, in a text that ends with a line feed. A caret is a box without width.
 *
 * Where text of both directions meets there are two places, and browsers choose the one that belongs to the direction
 * of the line; at both ends of a line they choose the line's edge, whatever stands there.
 */
export function caretPlace(text: string, offset: number, measure: Measure): Box | undefined {
  if (text[offset] === '\n') return measure(offset, offset + 1)[0]
  const places = measure(offset, offset)
  const isLineStart = offset === 0 || text[offset - 1] === '\n'
  if (places.length === 1 && !isLineStart) return places[0]

  const lineEnd = text.indexOf('\n', offset)
  const isLeftward = isLineLeftward(offset, lineEnd, measure)
  if (isLineStart) return lineStart(measure(offset, lineEnd), isLeftward)
  const edges = [
    ...measure(offset - 1, offset).map((box) => edge(box, !isLeftward)),
    ...measure(offset, offset + 1).map((box) => edge(box, isLeftward)),
  ]
  // The last one, because at a wrap it is at the start of the next line.
  return places.findLast((place) => edges.some((other) => isSame(place, other))) ?? places.at(-1)
}

/** The line feed shows a line's direction: it comes last. */
function isLineLeftward(from: number, lineEnd: number, measure: Measure): boolean {
  const [feed] = measure(lineEnd, lineEnd + 1)
  return measure(from, lineEnd).every((box) => !isBeside(box, feed) || box.x >= feed.x)
}

/** Of a line that may be wrapped: the edge where the first of it starts. */
function lineStart(line: readonly Box[], isLeftward: boolean): Box {
  const edges = line.filter((box) => isBeside(box, line[0])).map((box) => edge(box, isLeftward))
  return edges.reduce((start, other) => (other.x > start.x === isLeftward ? other : start))
}

function edge(box: Box, isRight: boolean): Box {
  return { ...box, x: isRight ? box.x + box.width : box.x, width: 0 }
}

function isBeside(a: Box, b: Box): boolean {
  return a.y < b.y + b.height && b.y < a.y + a.height
}

function isSame(a: Box, b: Box): boolean {
  return isBeside(a, b) && Math.abs(a.x - b.x) < 0.5
}
