import type { Awareness } from 'y-protocols/awareness'
import * as Y from 'yjs'
import type { KeptSelection } from './selection.ts'

/** The field of the local state, the same as other Yjs bindings use (y-codemirror.next, y-quill). */
const FIELD = 'cursor'

/** Tells others where one element's selection is. Of several elements, the one that had the focus last does. */
export class Cursor {
  readonly #awareness: Awareness
  #announced: KeptSelection | null = null

  constructor(awareness: Awareness) {
    this.#awareness = awareness
  }

  announce(selection: KeptSelection | null, hasFocus: boolean): void {
    const isHolder = this.#isHolder
    if (!hasFocus && !isHolder) return
    if (isHolder && isSame(selection, this.#announced)) return
    this.#announced = selection
    this.#awareness.setLocalStateField(FIELD, selection)
  }

  withdraw(): void {
    if (this.#isHolder) this.#awareness.setLocalStateField(FIELD, null)
    this.#announced = null
  }

  get #isHolder(): boolean {
    return this.#announced !== null && this.#awareness.getLocalState()?.[FIELD] === this.#announced
  }
}

function isSame(a: KeptSelection | null, b: KeptSelection | null): boolean {
  if (a === null || b === null) return a === b
  return Y.compareRelativePositions(a.anchor, b.anchor) && Y.compareRelativePositions(a.head, b.head)
}
