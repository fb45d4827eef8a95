import * as Y from 'yjs'
import type { TextElement } from './shown-text.ts'

/** Offsets in a text, `start` at most `end`. */
export interface Selection {
  readonly start: number
  readonly end: number
  readonly direction: 'forward' | 'backward' | 'none'
}

/** A selection that moves with the text. */
export interface KeptSelection {
  readonly anchor: Y.RelativePosition
  readonly head: Y.RelativePosition
}

/** Null for types that hide their selection (email). */
export function readSelection({ selectionStart, selectionEnd, selectionDirection }: TextElement): Selection | null {
  if (selectionStart === null || selectionEnd === null) return null
  return { start: selectionStart, end: selectionEnd, direction: selectionDirection ?? 'none' }
}

export function writeSelection(element: TextElement, { start, end, direction }: Selection): void {
  element.setSelectionRange(start, end, direction)
}

/** A caret keeps to the character before it, and a selection to those in it: what comes in at its ends stays out. */
export function keepSelection(text: Y.Text, { start, end, direction }: Selection): KeptSelection {
  const last = Y.createRelativePositionFromTypeIndex(text, end, -1)
  const first = start === end ? last : Y.createRelativePositionFromTypeIndex(text, start)
  return direction === 'backward' ? { anchor: last, head: first } : { anchor: first, head: last }
}

/** The offsets in the text as it is now. Null when it holds nothing of it. */
export function findSelection({ doc }: Y.Text, { anchor, head }: KeptSelection): Selection | null {
  const find = (position: Y.RelativePosition) => doc && Y.createAbsolutePositionFromRelativePosition(position, doc)
  const from = find(anchor)
  const to = find(head)
  if (!from || !to) return null
  if (from.index > to.index) return { start: to.index, end: from.index, direction: 'backward' }
  return { start: from.index, end: to.index, direction: 'forward' }
}
