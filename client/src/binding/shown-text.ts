import type * as Y from 'yjs'
import type { Splice } from './splice.ts'

/** An element that shows and edits plain text. Of inputs only those of the text-like types. */
export type TextElement = HTMLTextAreaElement | HTMLInputElement

/** What an element shows of a shared text: all that an overlay needs of a binding. */
export interface ShownText {
  readonly element: TextElement
  readonly text: Y.Text
  /**
   * The offset in `element.value` of an offset in the shared text, which may be ahead of the element. What is not shown
   * has the place where it would be.
   */
  toShown(index: number): number
  /**
   * Calls `listener` synchronously after each change of the element's value that the binding made or noticed, with that
   * change. Returns what ends that.
   */
  onShown(listener: (splice: Splice) => void): () => void
}
