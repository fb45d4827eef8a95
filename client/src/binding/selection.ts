import type * as Y from 'yjs'

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
