import type * as Y from 'yjs'
import type { TextElement } from './shown-text.ts'

/** Offsets in a text: where a selection was begun, and its moving end. */
export interface Selection {
  readonly anchor: number
  readonly head: number
}

/** A selection that moves with the text. */
export interface KeptSelection {
  readonly anchor: Y.RelativePosition
  readonly head: Y.RelativePosition
}

/** Null for types that hide their selection (email). */
export function readSelection({ selectionStart, selectionEnd, selectionDirection }: TextElement): Selection | null {
  if (selectionStart === null || selectionEnd === null) return null
  return selectionDirection === 'backward'
    ? { anchor: selectionEnd, head: selectionStart }
    : { anchor: selectionStart, head: selectionEnd }
}

export function writeSelection(element: TextElement, { anchor, head }: Selection): void {
  const direction = head < anchor ? 'backward' : 'forward'
  element.setSelectionRange(Math.min(anchor, head), Math.max(anchor, head), direction)
}
