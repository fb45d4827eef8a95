import type { Awareness } from 'y-protocols/awareness'
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
    if (!hasFocus && !this.#isHolder) return
    if (this.#isHolder && JSON.stringify(selection) === JSON.stringify(this.#announced)) return
    this.#announced = selection
    this.#awareness.setLocalStateField(FIELD, selection)
  }

  withdraw(): void {
    if (this.#isHolder) this.#awareness.setLocalStateField(FIELD, null)
  }

  get #isHolder(): boolean {
    return this.#announced !== null && this.#awareness.getLocalState()?.[FIELD] === this.#announced
  }
}
